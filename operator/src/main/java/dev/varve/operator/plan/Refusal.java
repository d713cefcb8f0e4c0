package dev.varve.operator.plan;

/**
 * Why an attachment that was just tried did not come about.
 *
 * @param message what the pageserver says
 */
public record Refusal(Kind kind, String message) {
  /** What it is about. */
  public enum Kind {
    /** The object store holds the timeline in other shards than its tenant has. */
    LAYOUT,
    /** The object store no longer holds the timeline. */
    OBJECTS_MISSING,
    OTHER
  }
}
