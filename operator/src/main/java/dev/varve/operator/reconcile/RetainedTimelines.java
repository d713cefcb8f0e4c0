package dev.varve.operator.reconcile;

import dev.varve.crd.RetainedTimeline;
import dev.varve.crd.Tenant;
import dev.varve.crd.Timeline;
import dev.varve.operator.pageserver.Fleet;
import dev.varve.operator.pageserver.PageserverClient;
import dev.varve.operator.plan.PageserverPod;
import dev.varve.operator.plan.SpecRules;
import dev.varve.operator.plan.TenantPlanner;
import dev.varve.operator.plan.TimelineIdentity;
import io.grpc.StatusRuntimeException;
import io.javaoperatorsdk.operator.processing.event.ResourceID;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What the object store holds of each tenant that no Timeline has, as a pageserver says it. Asked
 * when Timelines came or went, and now and then. Any thread.
 */
final class RetainedTimelines {
  private static final Logger LOG = LoggerFactory.getLogger(RetainedTimelines.class);
  private static final Duration AGE = Duration.ofMinutes(4);

  private final Fleet fleet;
  private final InstantSource clock;
  private final Map<ResourceID, Answer> answers = new ConcurrentHashMap<>();

  private record Answer(Set<String> inUse, Instant time, List<RetainedTimeline> retained) {}

  RetainedTimelines(Fleet fleet, InstantSource clock) {
    this.fleet = fleet;
    this.clock = clock;
  }

  /**
   * Asks unless what was answered last still counts. May wait for the object store.
   *
   * @param timelines of the tenant
   */
  void refresh(Tenant tenant, List<Timeline> timelines) {
    ResourceID id = ResourceID.fromResource(tenant);
    Set<String> inUse =
        timelines.stream()
            .filter(timeline -> SpecRules.names(timeline).isEmpty())
            .map(TimelineIdentity::of)
            .collect(Collectors.toSet());
    Answer last = answers.get(id);
    Instant now = clock.instant();
    if (last != null && last.inUse().equals(inUse) && last.time().plus(AGE).isAfter(now)) {
      return;
    }
    PageserverPod pod =
        fleet.pods().stream()
            .filter(one -> one.isUsable() && one.store() == null)
            .findFirst()
            .orElse(null);
    if (pod == null) {
      return;
    }
    try {
      List<RetainedTimeline> retained =
          fleet
              .client(pod)
              .retained(
                  TenantPlanner.tenantId(
                      tenant.getMetadata().getNamespace(), tenant.getMetadata().getName()),
                  inUse);
      answers.put(id, new Answer(inUse, now, retained));
    } catch (StatusRuntimeException e) {
      LOG.info(
          "Tenant {}/{}: what is retained cannot be listed: {}",
          tenant.getMetadata().getNamespace(),
          tenant.getMetadata().getName(),
          PageserverClient.text(e));
    }
  }

  /** As it was answered last; before the first answer as the status says. */
  @Nullable List<RetainedTimeline> of(Tenant tenant) {
    Answer last = answers.get(ResourceID.fromResource(tenant));
    if (last == null) {
      return tenant.getStatus() == null ? null : tenant.getStatus().retainedTimelines();
    }
    return last.retained().isEmpty() ? null : last.retained();
  }

  void forget(Tenant tenant) {
    answers.remove(ResourceID.fromResource(tenant));
  }
}
