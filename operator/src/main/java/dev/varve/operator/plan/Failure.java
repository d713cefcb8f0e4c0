package dev.varve.operator.plan;

/**
 * What keeps the operator from knowing something that it needs.
 *
 * @param message what it is and what to do about it
 */
public record Failure(Reason reason, String message) {}
