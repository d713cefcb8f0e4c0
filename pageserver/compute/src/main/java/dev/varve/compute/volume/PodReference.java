package dev.varve.compute.volume;

/**
 * The pod that a volume belongs to.
 *
 * @param uid of this very pod; one of the same name may follow it
 */
record PodReference(String namespace, String name, String uid) {
  @Override
  public String toString() {
    return "pod " + namespace + "/" + name;
  }
}
