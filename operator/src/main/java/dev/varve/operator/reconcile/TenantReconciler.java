package dev.varve.operator.reconcile;

import dev.varve.crd.ShardPlacement;
import dev.varve.crd.Tenant;
import dev.varve.crd.TenantStatus;
import dev.varve.crd.Timeline;
import dev.varve.operator.OperatorConfig;
import dev.varve.operator.pageserver.Fleet;
import dev.varve.operator.plan.Failure;
import dev.varve.operator.plan.Reason;
import dev.varve.operator.plan.SpecRules;
import dev.varve.operator.plan.TenantPlan;
import dev.varve.operator.plan.TenantPlanner;
import dev.varve.operator.plan.TenantWorld;
import dev.varve.operator.plan.TenantWorld.Load;
import dev.varve.operator.reconcile.Credentials.Found;
import dev.varve.operator.render.TokenSecret;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.javaoperatorsdk.operator.api.config.informer.InformerEventSourceConfiguration;
import io.javaoperatorsdk.operator.api.reconciler.Cleaner;
import io.javaoperatorsdk.operator.api.reconciler.Context;
import io.javaoperatorsdk.operator.api.reconciler.ControllerConfiguration;
import io.javaoperatorsdk.operator.api.reconciler.DeleteControl;
import io.javaoperatorsdk.operator.api.reconciler.EventSourceContext;
import io.javaoperatorsdk.operator.api.reconciler.MaxReconciliationInterval;
import io.javaoperatorsdk.operator.api.reconciler.Reconciler;
import io.javaoperatorsdk.operator.api.reconciler.UpdateControl;
import io.javaoperatorsdk.operator.processing.event.ResourceID;
import io.javaoperatorsdk.operator.processing.event.source.EventSource;
import io.javaoperatorsdk.operator.processing.event.source.inbound.SimpleInboundEventSource;
import io.javaoperatorsdk.operator.processing.event.source.informer.InformerEventSource;
import io.javaoperatorsdk.operator.processing.retry.GradualRetry;
import jakarta.inject.Singleton;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Places each tenant and makes its token Secret; see {@link TenantPlanner}. */
@GradualRetry(maxAttempts = Integer.MAX_VALUE, initialInterval = 1000, maxInterval = 30_000)
@Singleton
@ControllerConfiguration(
    name = "tenant",
    finalizerName = "varve.dev/operator",
    maxReconciliationInterval =
        @MaxReconciliationInterval(interval = 5, timeUnit = TimeUnit.MINUTES))
public final class TenantReconciler implements Reconciler<Tenant>, Cleaner<Tenant> {
  private static final Logger LOG = LoggerFactory.getLogger(TenantReconciler.class);
  private static final Duration RETRY = Duration.ofMillis(300);
  private static final Duration DELETION = Duration.ofSeconds(5);

  private final KubernetesClient client;
  private final Fleet fleet;
  private final Duration grace;
  private final InstantSource clock;
  private final Events events;
  private final RetainedTimelines retained;
  private final SecureRandom random = new SecureRandom();

  /**
   * Pods of the tenants as they were decided last: the cache is behind, and of many tenants made at
   * once each would go to the same pod. Guarded by this.
   */
  private final Map<ResourceID, List<String>> decided = new ConcurrentHashMap<>();

  public TenantReconciler(
      KubernetesClient client, Fleet fleet, OperatorConfig config, InstantSource clock) {
    this.client = client;
    this.fleet = fleet;
    this.grace = config.grace();
    this.clock = clock;
    this.events = new Events(client);
    this.retained = new RetainedTimelines(fleet, clock);
  }

  @Override
  public List<EventSource<?, Tenant>> prepareEventSources(EventSourceContext<Tenant> context) {
    Scheduler.keepAThread(context.getControllerConfiguration().getConfigurationService());
    SimpleInboundEventSource<Tenant> pods = new SimpleInboundEventSource<>("pageservers");
    fleet.listen(
        new Fleet.Listener() {
          @Override
          public void podsChanged() {
            context
                .getPrimaryCache()
                .list()
                .forEach(t -> pods.propagateEvent(ResourceID.fromResource(t)));
          }

          @Override
          public void timelineChanged(String tenantId, String timeline) {}
        });
    InformerEventSource<Timeline, Tenant> timelines =
        new InformerEventSource<>(
            InformerEventSourceConfiguration.from(Timeline.class, Tenant.class)
                .withNamespacesInheritedFromController()
                .withSecondaryToPrimaryMapper(TimelineReconciler::tenantOf)
                .withOnUpdateFilter((after, before) ->
                    after.isMarkedForDeletion() != before.isMarkedForDeletion()
                        || TenantPlanner.isServed(after) != TenantPlanner.isServed(before))
                .build(),
            context);
    return List.of(pods, timelines);
  }

  @Override
  public UpdateControl<Tenant> reconcile(Tenant tenant, Context<Tenant> context) {
    try {
      retained.refresh(tenant, timelines(context));
      TenantPlan plan = planAndWrite(tenant, context);
      if (plan.makeToken()) {
        makeToken(tenant);
      }
      UpdateControl<Tenant> control = UpdateControl.noUpdate();
      Duration again = plan.again();
      return again == null ? control : control.rescheduleAfter(atLeast(again));
    } catch (KubernetesClientException e) {
      if (Conflict.isConflict(e)) {
        return UpdateControl.<Tenant>noUpdate().rescheduleAfter(RETRY);
      }
      if (Conflict.isNamespaceGoing(e)) {
        LOG.info(
            "Tenant {}/{}: its namespace is being deleted",
            tenant.getMetadata().getNamespace(),
            tenant.getMetadata().getName());
        return UpdateControl.noUpdate();
      }
      throw e;
    }
  }

  static Duration atLeast(Duration again) {
    return again.compareTo(RETRY) < 0 ? RETRY : again;
  }

  private synchronized TenantPlan planAndWrite(Tenant tenant, Context<Tenant> context) {
    ResourceID id = ResourceID.fromResource(tenant);
    List<Timeline> timelines = timelines(context);
    String invalid = SpecRules.tenant(tenant);
    Found token = invalid.isEmpty() ? token(tenant) : new Found(null, null);
    TenantPlan plan =
        TenantPlanner.plan(
            new TenantWorld(
                tenant,
                invalid,
                fleet.pods(),
                loads(id, context),
                token.value() != null,
                token.failure(),
                timelines,
                clock.instant(),
                grace));
    TenantStatus status = plan.status().withRetained(retained.of(tenant));
    if (!status.equals(tenant.getStatus())) {
      tenant.setStatus(status);
      client.resource(tenant).updateStatus();
      events.write(tenant, plan.notices());
    }
    decided.put(id, podUids(plan.status()));
    return plan;
  }

  private static List<Timeline> timelines(Context<Tenant> context) {
    return context
        .getSecondaryResourcesAsStream(Timeline.class)
        .sorted(Comparator.comparing(t -> t.getMetadata().getName()))
        .toList();
  }

  private Map<String, Load> loads(ResourceID but, Context<Tenant> context) {
    Map<String, Integer> shards = new HashMap<>();
    context
        .getPrimaryCache()
        .list()
        .forEach(tenant -> {
          ResourceID id = ResourceID.fromResource(tenant);
          if (!id.equals(but)) {
            for (String pod : decided.getOrDefault(id, podUids(tenant.getStatus()))) {
              shards.merge(pod, 1, Integer::sum);
            }
          }
        });
    Map<String, Load> loads = new HashMap<>();
    shards.forEach((pod, count) -> loads.put(pod, new Load(count, fleet.bytes(pod))));
    return loads;
  }

  private static List<String> podUids(@Nullable TenantStatus status) {
    return status == null || status.shards() == null
        ? List.of()
        : status.shards().stream().map(ShardPlacement::podUid).toList();
  }

  /** The token's Secret, or what is in its place. */
  private Found token(Tenant tenant) {
    String name = TokenSecret.name(tenant.getMetadata().getName());
    Found found = Credentials.secret(client, tenant.getMetadata().getNamespace(), name);
    return found.value() == null || TokenSecret.value(found.value(), TokenSecret.KEY) != null
        ? found
        : new Found(
            null,
            new Failure(
                Reason.NameTaken,
                "the Secret "
                    + name
                    + " has no key "
                    + TokenSecret.KEY
                    + ": delete it, and it is made anew"));
  }

  private void makeToken(Tenant tenant) {
    client.resource(TokenSecret.of(tenant, TokenSecret.random(random))).create();
  }

  /** Waits for the timelines to go; the Secret goes with its owner. */
  @Override
  public DeleteControl cleanup(Tenant tenant, Context<Tenant> context) {
    try {
      TenantPlan plan = planAndWrite(tenant, context);
      Integer timelines = plan.status().timelines();
      if (timelines != null && timelines > 0) {
        return DeleteControl.noFinalizerRemoval().rescheduleAfter(DELETION.toMillis());
      }
    } catch (KubernetesClientException e) {
      if (Conflict.isConflict(e)) {
        return DeleteControl.noFinalizerRemoval().rescheduleAfter(RETRY.toMillis());
      }
      if (!Conflict.isGone(e)) {
        throw e;
      }
    }
    decided.remove(ResourceID.fromResource(tenant));
    retained.forget(tenant);
    return DeleteControl.defaultDelete();
  }
}
