package dev.varve.engine.layer;

import dev.varve.engine.bytes.ByteReader;
import dev.varve.engine.bytes.ByteWriter;

/**
 * The timeline, and the shard of it, that wrote a layer. Another timeline of the tenant's (a
 * branch, a copy) or another shard (after a split) may list the layer, too: its object is where it
 * was written.
 *
 * @param timelineHigh of the timeline's id, the upper half
 * @param timelineLow the lower half
 * @param shard from 0
 * @param shards 1: the whole timeline
 * @param stripeBlocks 0 when {@code shards} is 1
 */
public record LayerOrigin(
    long timelineHigh, long timelineLow, int shard, int shards, int stripeBlocks) {
  static final int BYTES = 24;

  /**
   * Checks that there can be such a shard.
   *
   * @throws IllegalArgumentException when there cannot
   */
  public LayerOrigin {
    if (shard < 0 || shard >= shards || stripeBlocks < 0) {
      throw new IllegalArgumentException("shard " + shard + " of " + shards);
    }
  }

  /** Where its objects are below the timelines of its tenant, with a slash at the end. */
  public String path() {
    String timeline = "%016x%016x/".formatted(timelineHigh, timelineLow);
    return shards == 1
        ? timeline
        : timeline + "shards/" + shard + "-of-" + shards + "-by-" + stripeBlocks + "/";
  }

  /** The id's bytes in the order of its digits, then the shard. */
  void write(ByteWriter out) {
    out.i64(Long.reverseBytes(timelineHigh));
    out.i64(Long.reverseBytes(timelineLow));
    out.u16(shard);
    out.u16(shards);
    out.i32(stripeBlocks);
  }

  static LayerOrigin read(ByteReader in) {
    return new LayerOrigin(
        Long.reverseBytes(in.i64()), Long.reverseBytes(in.i64()), in.u16(), in.u16(), in.i32());
  }

  @Override
  public String toString() {
    return path();
  }
}
