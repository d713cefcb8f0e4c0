package dev.varve.operator.plan;

/**
 * One shard of a timeline as pageservers name it.
 *
 * @param index from 0
 * @param shard such as {@code 0-of-2-by-2048}; empty: the whole timeline
 */
public record ShardId(String tenantId, String timeline, int index, String shard) {
  /** {@code tenant/timeline} or {@code tenant/timeline/shard}. */
  @Override
  public String toString() {
    String id = tenantId + "/" + timeline;
    return shard.isEmpty() ? id : id + "/" + shard;
  }
}
