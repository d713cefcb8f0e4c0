package dev.varve.operator.plan;

/**
 * Why an attachment that was just tried did not come about.
 *
 * @param isOfLayout whether the object store holds the timeline in other shards than its tenant has
 */
public record Refusal(boolean isOfLayout, String message) {}
