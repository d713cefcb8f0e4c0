package dev.varve.operator.plan;

import dev.varve.crd.Tenant;
import dev.varve.crd.Timeline;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What was seen of a tenant.
 *
 * @param invalid why nothing can be made of it; empty: it can
 * @param pods every pageserver, usable or not
 * @param loads by pod uid; of other tenants only
 * @param hasToken whether its token Secret is there
 * @param tokenFailure what keeps that from being known or made; null: nothing
 * @param timelines those that name it, by name
 * @param grace how long a pod that is not ready may keep its shards
 */
public record TenantWorld(
    Tenant tenant,
    String invalid,
    List<PageserverPod> pods,
    Map<String, Load> loads,
    boolean hasToken,
    @Nullable Failure tokenFailure,
    List<Timeline> timelines,
    Instant now,
    Duration grace) {
  /**
   * What a pageserver carries already.
   *
   * @param bytes of layers in the object store
   */
  public record Load(int shards, long bytes) {
    static final Load NONE = new Load(0, 0);
  }
}
