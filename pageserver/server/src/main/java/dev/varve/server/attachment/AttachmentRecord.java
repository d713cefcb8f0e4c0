package dev.varve.server.attachment;

import dev.varve.engine.tenant.TimelineId;
import dev.varve.engine.tenant.TimelineName;
import dev.varve.server.source.SourceSettings;
import org.jspecify.annotations.Nullable;

/**
 * What is written down of an attachment, to come back to it after a restart.
 *
 * @param uid which timeline it is, whatever the name may lead to later
 * @param source null: only what the object store holds is served
 * @param tli PostgreSQL's timeline id that WAL is followed on; 0 without a source
 * @param copied whether the object store is known to have held it: one that holds nothing of it now
 *     has lost it
 */
record AttachmentRecord(
    TimelineName id, TimelineId uid, @Nullable SourceSettings source, int tli, boolean copied) {
  AttachmentRecord asCopied() {
    return new AttachmentRecord(id, uid, source, tli, true);
  }
}
