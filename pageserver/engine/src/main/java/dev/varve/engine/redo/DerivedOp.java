package dev.varve.engine.redo;

/**
 * Small operations on pages that a WAL record changes without naming them: visibility-map bits cleared by older minors, boundary pages of
 * truncated maps, transaction status, multixacts, commit timestamps. Each is a few bytes, made by {@code effects} of a resource manager
 * and applied when the page is read.
 */
public final class DerivedOp {
  private DerivedOp() {}
}
