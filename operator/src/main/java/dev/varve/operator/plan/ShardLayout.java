package dev.varve.operator.plan;

import dev.varve.crd.Tenant;
import dev.varve.crd.Timeline;
import java.util.List;
import java.util.stream.IntStream;

/**
 * How a tenant's pages are dealt out, see docs/formats/sharding.md.
 *
 * @param count 1: not sharded
 * @param stripe blocks
 */
public record ShardLayout(int count, int stripe) {
  /** Of a tenant that leaves it to the defaults. */
  public static final ShardLayout WHOLE = new ShardLayout(1, 2048);

  /** One that is invalid is not placed anywhere; it counts as not sharded. */
  public static ShardLayout of(Tenant tenant) {
    if (!SpecRules.tenant(tenant).isEmpty()) {
      return WHOLE;
    }
    Integer count = tenant.getSpec().shards();
    Integer stripe = tenant.getSpec().stripe();
    return new ShardLayout(
        count == null ? WHOLE.count : count, stripe == null ? WHOLE.stripe : stripe);
  }

  /** Of a shard's name, such as {@code 0-of-2-by-2048}. */
  public static ShardLayout ofShard(String shard) {
    String[] parts = shard.split("-", -1);
    return new ShardLayout(Integer.parseInt(parts[2]), Integer.parseInt(parts[4]));
  }

  /** Every shard of a timeline, in order. */
  public List<ShardId> shards(Timeline timeline) {
    String tenantId =
        TenantPlanner.tenantId(timeline.getMetadata().getNamespace(), timeline.getSpec().tenant());
    String name = timeline.getMetadata().getName();
    return IntStream.range(0, count)
        .mapToObj(i ->
            new ShardId(
                tenantId,
                name,
                TimelineIdentity.of(timeline),
                i,
                count == 1 ? "" : i + "-of-" + count + "-by-" + stripe))
        .toList();
  }
}
