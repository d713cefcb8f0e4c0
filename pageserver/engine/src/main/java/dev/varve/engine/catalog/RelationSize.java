package dev.varve.engine.catalog;

import dev.varve.engine.PageserverException;
import dev.varve.engine.bytes.LittleEndian;
import org.jspecify.annotations.Nullable;

/**
 * How long a fork is at an LSN, and where nobody wrote it. As a value: u32 blocks, then its {@link
 * RelationHoles}; nothing at all for a fork that does not exist.
 */
public final class RelationSize {
  private static final RelationSize NONE = of(-1);
  private static final byte[] NO_FORK = new byte[0];
  private static final int BLOCKS_BYTES = 4;

  private final int blocks;
  private final RelationHoles holes;

  RelationSize(int blocks, RelationHoles holes) {
    this.blocks = blocks;
    this.holes = holes;
  }

  /** Of a fork that was written all over. */
  public static RelationSize of(int blocks) {
    return new RelationSize(blocks, RelationHoles.NONE);
  }

  /** Unsigned; -1 when the fork does not exist. */
  public int blocks() {
    return blocks;
  }

  RelationHoles holes() {
    return holes;
  }

  /**
   * The LSN at which a block that nobody wrote is zeros; what is older of it does not count. 0 when
   * the block has entries.
   */
  public long zerosLsn(int block) {
    return holes.zerosLsn(block);
  }

  byte[] encode() {
    if (blocks == -1) {
      return NO_FORK;
    }
    byte[] value = new byte[BLOCKS_BYTES + holes.encodedLength()];
    LittleEndian.putI32(value, 0, blocks);
    holes.encode(value, BLOCKS_BYTES);
    return value;
  }

  /** Reads what {@link #encode} wrote; null: there never was such a fork. */
  static RelationSize decode(byte @Nullable [] value) {
    if (value == null || value.length == 0) {
      return NONE;
    }
    if (value.length < BLOCKS_BYTES || (value.length - BLOCKS_BYTES) % RelationHoles.BYTES != 0) {
      throw new PageserverException.Corrupt("a relation's size of " + value.length + " bytes");
    }
    return new RelationSize(LittleEndian.i32(value, 0), RelationHoles.decode(value, BLOCKS_BYTES));
  }
}
