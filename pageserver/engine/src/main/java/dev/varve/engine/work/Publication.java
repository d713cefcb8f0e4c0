package dev.varve.engine.work;

import dev.varve.engine.ingest.TimelineWriter;
import dev.varve.engine.tree.TimelineLayers;
import java.io.IOException;

/**
 * Uploads layer files and commits a manifest that lists them. The primary's slot waits for it, so
 * that it waits for nothing but its own requests.
 */
record Publication(TimelineLayers layers, TimelineWriter writer) implements Step {
  @Override
  public String name() {
    return "publishing";
  }

  @Override
  public StepPool pool() {
    return StepPool.PUBLISH;
  }

  @Override
  public long run() throws IOException {
    if (!layers.publish()) {
      return WHEN_SIGNALLED;
    }
    writer.signalRoom();
    return 0;
  }
}
