package dev.varve.engine.layer;

/** What an entry's bytes are. The order is part of the file format. */
public enum ValueKind {
  /** A page of zeros; no bytes. */
  ZERO_PAGE(true),
  /** A whole page, as {@link ImagePage} writes it. */
  IMAGE(true),
  /** A WAL record as it is kept for one of its blocks ({@code wal.BlockRecord}). */
  RECORD(false),
  /** A small operation on a page ({@code redo.DerivedOp}). */
  DERIVED(false),
  /** State that is not a page; no bytes: removed. */
  VALUE(true);

  private final boolean endsChain;

  ValueKind(boolean endsChain) {
    this.endsChain = endsChain;
  }

  /** Whether nothing older is needed. */
  public boolean endsChain() {
    return endsChain;
  }
}
