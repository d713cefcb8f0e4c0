package dev.varve.engine.work;

import dev.varve.engine.tree.TimelineLayers;

/** Writes what a manifest has collected into a part, so that the next commit is small again. */
record ManifestCompaction(TimelineLayers layers) implements Step {
  @Override
  public String name() {
    return "compacting the manifest";
  }

  @Override
  public StepPool pool() {
    return StepPool.IDLE;
  }

  @Override
  public long run() {
    layers.compactManifest();
    return WHEN_SIGNALLED;
  }
}
