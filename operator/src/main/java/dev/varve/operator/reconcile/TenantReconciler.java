package dev.varve.operator.reconcile;

import dev.varve.crd.ShardPlacement;
import dev.varve.crd.Tenant;
import dev.varve.crd.TenantStatus;
import dev.varve.crd.Timeline;
import dev.varve.operator.OperatorConfig;
import dev.varve.operator.pageserver.Fleet;
import dev.varve.operator.plan.Failure;
import dev.varve.operator.plan.Notice;
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
import java.time.temporal.ChronoUnit;
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

  /** How often a token's Secret is looked at, which the operator may get and not watch. */
  private static final Duration TOKEN_CHECK = Duration.ofSeconds(10);

  private static final Duration TOKEN_RETRY = Duration.ofSeconds(2);

  /** Of many tenants at most so many Secrets a second. */
  private static final int TOKEN_CHECKS_PER_SECOND = 20;

  private final KubernetesClient client;
  private final Fleet fleet;
  private final Duration grace;
  private final Duration tokenOverlap;
  private final TenantTokens tokens;
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
    this.tokenOverlap = config.tokenOverlap();
    this.tokens = new TenantTokens(client, fleet, config.namespace());
    this.clock = clock;
    this.events = new Events(client);
    this.retained = new RetainedTimelines(fleet, clock);
  }

  @Override
  public List<EventSource<?, Tenant>> prepareEventSources(EventSourceContext<Tenant> context) {
    Scheduler.keepAThread(context.getControllerConfiguration().getConfigurationService());
    Thread.startVirtualThread(tokens::sweep);
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

          @Override
          public void tokensChanged(String tenantId) {
            int dot = tenantId.indexOf('.');
            if (dot > 0) {
              pods.propagateEvent(
                  new ResourceID(tenantId.substring(dot + 1), tenantId.substring(0, dot)));
            }
          }
        });
    InformerEventSource<Timeline, Tenant> timelines =
        new InformerEventSource<>(
            InformerEventSourceConfiguration.from(Timeline.class, Tenant.class)
                .withNamespacesInheritedFromController()
                .withSecondaryToPrimaryMapper(TimelineReconciler::tenantOf)
                .withOnUpdateFilter((after, before) ->
                    after.isMarkedForDeletion() != before.isMarkedForDeletion()
                        || TenantPlanner.isServed(after) != TenantPlanner.isServed(before)
                        || !TenantPlanner.storeReason(after)
                            .equals(TenantPlanner.storeReason(before)))
                .build(),
            context);
    return List.of(pods, timelines);
  }

  @Override
  public UpdateControl<Tenant> reconcile(Tenant tenant, Context<Tenant> context) {
    try {
      retained.refresh(tenant, timelines(context));
      String invalid = SpecRules.tenant(tenant);
      Found secret = invalid.isEmpty() ? token(tenant) : new Found(null, null);
      TenantPlan plan = planAndWrite(tenant, invalid, secret, context);
      Duration again = plan.again();
      String token =
          plan.makeToken() ? makeToken(tenant) : TokenSecret.value(secret.value(), TokenSecret.KEY);
      if (token != null) {
        Duration next = earlier(distribute(tenant, token), tokenCheck(context));
        again = earlier(again, next);
      }
      UpdateControl<Tenant> control = UpdateControl.noUpdate();
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

  /** Has the pageservers accept the token of the Secret; when to look again, or null. */
  private @Nullable Duration distribute(Tenant tenant, String token) {
    TenantTokens.Outcome outcome;
    try {
      outcome = tokens.apply(tenant, token, clock.instant(), tokenOverlap);
    } catch (KubernetesClientException e) {
      if (Conflict.isForbidden(e)) {
        LOG.warn(
            "the operator may not keep hashes of tokens in its own namespace: apply its Role,"
                + " deploy/base/operator/rbac.yaml");
      } else {
        LOG.info("hashes of tokens cannot be kept now: {}", e.getMessage());
      }
      return TOKEN_CHECK;
    }
    if (outcome.changed()) {
      events.write(
          tenant,
          List.of(
              new Notice(
                  false,
                  "TokenChanged",
                  "the Secret "
                      + TokenSecret.name(tenant.getMetadata().getName())
                      + " has a new token; the one before reads until "
                      + outcome.record().until().truncatedTo(ChronoUnit.SECONDS))));
    }
    return outcome.failed() ? TOKEN_RETRY : outcome.record().left(clock.instant());
  }

  private static Duration tokenCheck(Context<Tenant> context) {
    long tenants = context.getPrimaryCache().list().count();
    Duration bounded = Duration.ofSeconds(tenants / TOKEN_CHECKS_PER_SECOND);
    return bounded.compareTo(TOKEN_CHECK) < 0 ? TOKEN_CHECK : bounded;
  }

  private static Duration earlier(@Nullable Duration one, Duration other) {
    return one == null || other.compareTo(one) < 0 ? other : one;
  }

  static Duration atLeast(Duration again) {
    return again.compareTo(RETRY) < 0 ? RETRY : again;
  }

  /**
   * @param invalid why nothing can be made of it; empty: it can
   * @param token its Secret
   */
  private synchronized TenantPlan planAndWrite(
      Tenant tenant, String invalid, Found token, Context<Tenant> context) {
    ResourceID id = ResourceID.fromResource(tenant);
    List<Timeline> timelines = timelines(context);
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

  private String makeToken(Tenant tenant) {
    String token = TokenSecret.random(random);
    client.resource(TokenSecret.of(tenant, token)).create();
    return token;
  }

  /** Waits for the timelines to go; the Secret goes with its owner. */
  @Override
  public DeleteControl cleanup(Tenant tenant, Context<Tenant> context) {
    try {
      String invalid = SpecRules.tenant(tenant);
      TenantPlan plan =
          planAndWrite(
              tenant, invalid, invalid.isEmpty() ? token(tenant) : new Found(null, null), context);
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
    tokens.remove(tenant);
    retained.forget(tenant);
    return DeleteControl.defaultDelete();
  }
}
