package dev.varve.server.attachment;

import org.jspecify.annotations.Nullable;

/**
 * How a timeline is held.
 *
 * @param generation 0: this pageserver takes the next one and comes back to the timeline by itself
 *     after a restart; else counted by the one who attaches, who also attaches again
 * @param stored whether the object store has to hold the timeline already
 * @param token what a reader must show; null: nothing
 */
public record Tenure(int generation, boolean stored, @Nullable Token token) {
  /** Held by this pageserver, read by everybody. */
  public static final Tenure OWN = new Tenure(0, false, null);

  boolean isCounted() {
    return generation != 0;
  }
}
