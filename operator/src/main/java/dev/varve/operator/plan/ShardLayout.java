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

  public static ShardLayout of(Tenant tenant) {
    Integer count = tenant.getSpec().shards();
    Integer stripe = tenant.getSpec().stripe();
    return new ShardLayout(
        count == null ? WHOLE.count : count, stripe == null ? WHOLE.stripe : stripe);
  }

  /** Every shard of a timeline, in order. */
  public List<ShardId> shards(Timeline timeline) {
    String tenantId =
        TenantPlanner.tenantId(timeline.getMetadata().getNamespace(), timeline.getSpec().tenant());
    String name = timeline.getMetadata().getName();
    return IntStream.range(0, count)
        .mapToObj(i ->
            new ShardId(tenantId, name, i, count == 1 ? "" : i + "-of-" + count + "-by-" + stripe))
        .toList();
  }
}
