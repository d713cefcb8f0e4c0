package dev.varve.operator.plan;

/** Something that a person would want to know: becomes an event on the resource. */
public record Notice(boolean warning, String reason, String message) {
  static Notice normal(String reason, String message) {
    return new Notice(false, reason, message);
  }

  public static Notice warning(String reason, String message) {
    return new Notice(true, reason, message);
  }
}
