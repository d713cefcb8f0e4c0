package dev.varve.engine.layer;

import org.jspecify.annotations.Nullable;

/** What an entry's bytes are, with its code in files. */
public enum ValueKind {
  /** A page of zeros; no bytes. */
  ZERO_PAGE(0, true),
  /** A whole page, as {@link ImagePage} writes it. */
  IMAGE(1, true),
  /** A WAL record as it is kept for one of its blocks ({@code wal.BlockRecord}). */
  RECORD(2, false),
  /** A small operation on a page ({@code redo.DerivedOp}). */
  DERIVED(3, false),
  /** State that is not a page; no bytes: removed. */
  VALUE(4, true);

  private static final ValueKind[] BY_CODE = new ValueKind[5];

  static {
    for (ValueKind kind : values()) {
      BY_CODE[kind.code] = kind;
    }
  }

  private final int code;
  private final boolean endsChain;

  ValueKind(int code, boolean endsChain) {
    this.code = code;
    this.endsChain = endsChain;
  }

  /** As it is written. */
  public int code() {
    return code;
  }

  /** The kind of a code; null: there is none. */
  public static @Nullable ValueKind of(int code) {
    return code < 0 || code >= BY_CODE.length ? null : BY_CODE[code];
  }

  /** Whether nothing older is needed. */
  public boolean endsChain() {
    return endsChain;
  }
}
