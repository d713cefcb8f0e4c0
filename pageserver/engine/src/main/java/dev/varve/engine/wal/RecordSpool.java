package dev.varve.engine.wal;

import java.lang.foreign.MemorySegment;

/**
 * Where a {@link WalDecoder} keeps a record that is too long for memory and whose main data redo
 * needs. One record at a time, on the decoder's thread.
 */
public interface RecordSpool {
  /** Begins a record; what there is of another one is given up. */
  void begin();

  /** Adds bytes behind those that came before. */
  void append(byte[] bytes, int offset, int length);

  /** Everything that was appended, valid until the next {@link #begin}. */
  MemorySegment contents();
}
