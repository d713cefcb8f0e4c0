package dev.varve.engine.work;

import dev.varve.engine.tree.TimelineLayers;

/** Removes objects that no manifest lists. A unit is a bounded number of them. */
record Removal(TimelineLayers layers) implements Step {
  @Override
  public String name() {
    return "removing objects";
  }

  @Override
  public StepPool pool() {
    return StepPool.IDLE;
  }

  @Override
  public long run() {
    return layers.removeUnwanted();
  }
}
