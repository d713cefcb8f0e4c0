package dev.varve.server.attachment;

import dev.varve.engine.tenant.TimelineName;

/** Is told of timelines that come and go; calls do not overlap. */
public interface AttachmentWatcher {
  void attached(Attachment attachment);

  void detached(TimelineName id);
}
