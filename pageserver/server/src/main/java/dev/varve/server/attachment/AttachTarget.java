package dev.varve.server.attachment;

import dev.varve.engine.tenant.TimelineId;
import org.jspecify.annotations.Nullable;

/**
 * Which timeline a name is to stand for.
 *
 * @param uid null: the one that the name leads to, or else, with a source, a new one
 * @param adopts whether it has to be there, and a source that answers has to be its own
 */
public record AttachTarget(@Nullable TimelineId uid, boolean adopts) {
  /** Where the name leads. */
  public static final AttachTarget BY_NAME = new AttachTarget(null, false);
}
