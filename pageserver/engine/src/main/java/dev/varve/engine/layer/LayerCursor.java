package dev.varve.engine.layer;

import dev.varve.engine.PageserverException;

/** Walks a layer's entries in order, a block at a time. Not thread-safe. */
public final class LayerCursor {
  private final Layer layer;
  private final boolean image;
  private final long startLsn;
  private byte[] bytes;
  private int block;
  private int position;
  private int entryStart;
  private boolean inFirstEntry = true;
  private long key;
  private long lsn;
  private ValueKind kind = ValueKind.VALUE;
  private int valueOffset;
  private int valueLength;
  private boolean pending;

  /** Over one block that was read already. */
  LayerCursor(Layer layer, byte[] bytes, int block) {
    this.layer = layer;
    this.image = layer.descriptor().isImage();
    this.startLsn = layer.descriptor().startLsn();
    this.bytes = bytes;
    this.block = block;
  }

  /** Over the whole layer, from the first entry whose key is at least {@code fromKey}. */
  LayerCursor(Layer layer, long fromKey) {
    this(layer, new byte[0], layer.firstBlockFor(fromKey) - 1);
    while (next()) {
      if (Long.compareUnsigned(key, fromKey) >= 0) {
        pending = true;
        return;
      }
    }
  }

  /** Moves to the next entry; false when there is none. */
  public boolean next() {
    if (pending) {
      pending = false;
      return true;
    }
    while (!nextInBlock()) {
      if (block + 1 >= layer.dataBlocks()) {
        return false;
      }
      block++;
      bytes = layer.blockForScan(block);
      position = 0;
      inFirstEntry = true;
    }
    return true;
  }

  boolean nextInBlock() {
    if (position >= bytes.length) {
      return false;
    }
    entryStart = position;
    long keyStep = varint();
    key = inFirstEntry ? keyStep : key + keyStep;
    inFirstEntry = false;
    readRest();
    return true;
  }

  private void readRest() {
    lsn = image ? startLsn : startLsn + varint();
    ValueKind read = ValueKind.of(position < bytes.length ? bytes[position++] : -1);
    if (read == null) {
      throw damaged();
    }
    kind = read;
    long length = varint();
    if (length < 0 || length > bytes.length - position) {
      throw damaged();
    }
    valueOffset = position;
    valueLength = (int) length;
    position += valueLength;
  }

  /** Goes back to the entry that starts at {@code start} of this block and has {@code itsKey}. */
  void rewindTo(int start, long itsKey) {
    position = start;
    entryStart = start;
    varint();
    key = itsKey;
    inFirstEntry = false;
    readRest();
  }

  private long varint() {
    long value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (position >= bytes.length) {
        throw damaged();
      }
      byte next = bytes[position++];
      value |= (long) (next & 0x7F) << shift;
      if (next >= 0) {
        return value;
      }
    }
    throw damaged();
  }

  private PageserverException.Corrupt damaged() {
    return new PageserverException.Corrupt(
        "layer "
            + layer.descriptor().name()
            + ": block "
            + block
            + " is malformed at byte "
            + position);
  }

  public long key() {
    return key;
  }

  public long lsn() {
    return lsn;
  }

  public ValueKind kind() {
    return kind;
  }

  public byte[] bytes() {
    return bytes;
  }

  public int valueOffset() {
    return valueOffset;
  }

  public int valueLength() {
    return valueLength;
  }

  int entryStart() {
    return entryStart;
  }
}
