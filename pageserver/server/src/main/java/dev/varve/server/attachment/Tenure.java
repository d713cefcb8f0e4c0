package dev.varve.server.attachment;

/**
 * How a timeline is held.
 *
 * @param generation 0: this pageserver takes the next one and comes back to the timeline by itself
 *     after a restart; else counted by the one who attaches, who also attaches again
 * @param stored whether the object store has to hold the timeline already
 * @param tokens what a reader must show; none: what it had to show before
 */
public record Tenure(int generation, boolean stored, ReadTokens tokens) {
  /** Held by this pageserver, read as before. */
  public static final Tenure OWN = new Tenure(0, false, ReadTokens.NONE);

  boolean isCounted() {
    return generation != 0;
  }
}
