package dev.varve.engine.work;

import dev.varve.engine.tree.TimelineLayers;

/** Looks whether the object store holds what the manifest lists. A unit is one listing. */
record Audit(TimelineLayers layers) implements Step {
  @Override
  public String name() {
    return "auditing";
  }

  @Override
  public StepPool pool() {
    return StepPool.IDLE;
  }

  @Override
  public long run() {
    return layers.audit();
  }
}
