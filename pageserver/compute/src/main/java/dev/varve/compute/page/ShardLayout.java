package dev.varve.compute.page;

/**
 * Which shard of a timeline keeps a page: the function of {@code docs/formats/sharding.md}, by
 * which pageservers deal pages out.
 *
 * @param count of shards; 1: not sharded
 * @param stripeBlocks blocks per stripe
 */
public record ShardLayout(int count, int stripeBlocks) {
  public static final ShardLayout WHOLE = new ShardLayout(1, 1);

  public ShardLayout {
    if (count < 1 || stripeBlocks < 1) {
      throw new IllegalArgumentException(count + " shards by " + stripeBlocks + " blocks");
    }
  }

  /**
   * The shard of a block.
   *
   * @param block unsigned 32 bits
   */
  public int shardOf(RelationFork fork, long block) {
    if (fork.database() == 0) {
      return 0;
    }
    long mixed =
        (Integer.toUnsignedLong(fork.relation()) << 32 | block / stripeBlocks)
            + fork.fork() * 0x9E3779B97F4A7C15L;
    mixed = (mixed ^ mixed >>> 30) * 0xBF58476D1CE4E5B9L;
    mixed = (mixed ^ mixed >>> 27) * 0x94D049BB133111EBL;
    return (int) Long.remainderUnsigned(mixed ^ mixed >>> 31, count);
  }

  /** How many of {@code count} blocks from {@code block} on are in its stripe. */
  int inStripe(long block, int count) {
    return (int) Math.min(count, stripeBlocks - block % stripeBlocks);
  }

  /** The name that reads of a shard give the timeline. */
  public String timeline(String timeline, int shard) {
    return count == 1 ? timeline : timeline + "/" + shard + "-of-" + count + "-by-" + stripeBlocks;
  }
}
