package dev.varve.operator.reconcile;

import dev.varve.crd.Tenant;
import dev.varve.crd.TenantStatus;
import dev.varve.crd.Timeline;
import dev.varve.crd.TimelineStatus;
import dev.varve.operator.OperatorConfig;
import dev.varve.operator.pageserver.Fleet;
import dev.varve.operator.plan.Failure;
import dev.varve.operator.plan.Holder;
import dev.varve.operator.plan.Notice;
import dev.varve.operator.plan.PageserverPod;
import dev.varve.operator.plan.Refusal;
import dev.varve.operator.plan.Report;
import dev.varve.operator.plan.ShardId;
import dev.varve.operator.plan.ShardLayout;
import dev.varve.operator.plan.ShardWorld;
import dev.varve.operator.plan.SourceAccess;
import dev.varve.operator.plan.SpecRules;
import dev.varve.operator.plan.TenantPlanner;
import dev.varve.operator.plan.TimelineIdentity;
import dev.varve.operator.plan.TimelinePlan;
import dev.varve.operator.plan.TimelinePlan.Detach;
import dev.varve.operator.plan.TimelinePlanner;
import dev.varve.operator.plan.TimelineWorld;
import dev.varve.operator.render.TimelineObjects;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.discovery.v1.EndpointSlice;
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
import io.javaoperatorsdk.operator.processing.event.source.IndexerResourceCache;
import io.javaoperatorsdk.operator.processing.event.source.inbound.SimpleInboundEventSource;
import io.javaoperatorsdk.operator.processing.event.source.informer.InformerEventSource;
import io.javaoperatorsdk.operator.processing.event.source.informer.Mappers;
import io.javaoperatorsdk.operator.processing.retry.GradualRetry;
import jakarta.inject.Singleton;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps the shards of each timeline attached where its tenant is placed, and its Service leading
 * there; see {@link TimelinePlanner}.
 */
@GradualRetry(maxAttempts = Integer.MAX_VALUE, initialInterval = 1000, maxInterval = 30_000)
@Singleton
@ControllerConfiguration(
    name = "timeline",
    finalizerName = "varve.dev/operator",
    maxReconciliationInterval =
        @MaxReconciliationInterval(interval = 5, timeUnit = TimeUnit.MINUTES))
public final class TimelineReconciler implements Reconciler<Timeline>, Cleaner<Timeline> {
  private static final String BY_TENANT = "tenant";
  private static final String BY_SOURCE = "source";
  private static final Logger LOG = LoggerFactory.getLogger(TimelineReconciler.class);
  private static final Duration RETRY = Duration.ofMillis(300);
  private static final Duration ADOPTION_RETRY = Duration.ofSeconds(5);

  private final KubernetesClient client;
  private final Fleet fleet;
  private final InstantSource clock;
  private final Events events;
  private final Attachments attachments;
  private final SourceCopies copies;
  private final TimelineDeletion deletion;

  /** Bytes of the longest base backup that failed, of shards that cannot be read yet. */
  private final Map<ShardId, Long> copiedInVain = new ConcurrentHashMap<>();

  /** Set before the first reconciliation. */
  private @Nullable IndexerResourceCache<Timeline> all;

  public TimelineReconciler(
      KubernetesClient client, Fleet fleet, OperatorConfig config, InstantSource clock) {
    this.client = client;
    this.fleet = fleet;
    this.clock = clock;
    this.events = new Events(client);
    this.attachments =
        new Attachments(client, fleet, new TenantTokens(client, fleet, config.namespace()), clock);
    this.copies = new SourceCopies(client, config.namespace());
    this.deletion = new TimelineDeletion(client, fleet, copies, config.slotDropTimeout(), clock);
  }

  @Override
  public List<EventSource<?, Timeline>> prepareEventSources(EventSourceContext<Timeline> context) {
    all = context.getPrimaryCache();
    all.addIndexer(BY_TENANT, TimelineReconciler::tenantKeys);
    all.addIndexer(BY_SOURCE, TimelineReconciler::sourceKeys);
    Thread.startVirtualThread(copies::sweep);
    SimpleInboundEventSource<Timeline> pageservers = new SimpleInboundEventSource<>("pageservers");
    fleet.listen(
        new Fleet.Listener() {
          @Override
          public void podsChanged() {
            context
                .getPrimaryCache()
                .list()
                .forEach(t -> pageservers.propagateEvent(ResourceID.fromResource(t)));
          }

          @Override
          public void timelineChanged(String tenantId, String timeline) {
            int dot = tenantId.indexOf('.');
            if (dot > 0) {
              pageservers.propagateEvent(new ResourceID(timeline, tenantId.substring(0, dot)));
            }
          }
        });
    InformerEventSource<Tenant, Timeline> tenants =
        new InformerEventSource<>(
            InformerEventSourceConfiguration.from(Tenant.class, Timeline.class)
                .withNamespacesInheritedFromController()
                .withPrimaryToSecondaryMapper(TimelineReconciler::tenantOf)
                .withSecondaryToPrimaryMapper((Tenant tenant) ->
                    context
                        .getPrimaryCache()
                        .byIndex(
                            BY_TENANT,
                            key(
                                tenant.getMetadata().getNamespace(),
                                tenant.getMetadata().getName()))
                        .stream()
                        .map(ResourceID::fromResource)
                        .collect(Collectors.toSet()))
                .withOnUpdateFilter((after, before) -> isOfConcern(before, after))
                .build(),
            context);
    return List.of(
        pageservers, tenants, owned(Service.class, context), owned(EndpointSlice.class, context));
  }

  /** A tenant counts its timelines: of that they need not know, or many at once wake each other. */
  static boolean isOfConcern(Tenant before, Tenant after) {
    TenantStatus was = before.getStatus();
    TenantStatus is = after.getStatus();
    return was == null
        || is == null
        || !Objects.equals(before.getSpec(), after.getSpec())
        || !Objects.equals(was.shards(), is.shards())
        || !Objects.equals(was.conditions(), is.conditions());
  }

  /** The Tenant that a Timeline names; none when the names are invalid. */
  static Set<ResourceID> tenantOf(Timeline timeline) {
    return SpecRules.names(timeline).isEmpty()
        ? Set.of(new ResourceID(timeline.getSpec().tenant(), timeline.getMetadata().getNamespace()))
        : Set.of();
  }

  private static List<String> tenantKeys(Timeline timeline) {
    return SpecRules.names(timeline).isEmpty()
        ? List.of(key(timeline.getMetadata().getNamespace(), timeline.getSpec().tenant()))
        : List.of();
  }

  private static List<String> sourceKeys(Timeline timeline) {
    return SpecRules.names(timeline).isEmpty()
        ? List.of(SourceAccess.address(timeline))
        : List.of();
  }

  private static String key(String namespace, String tenant) {
    return namespace + "/" + tenant;
  }

  private static <R extends HasMetadata> InformerEventSource<R, Timeline> owned(
      Class<R> type, EventSourceContext<Timeline> context) {
    return new InformerEventSource<>(
        InformerEventSourceConfiguration.from(type, Timeline.class)
            .withNamespacesInheritedFromController()
            .withLabelSelector("app.kubernetes.io/managed-by=" + TimelineObjects.MANAGER)
            .withSecondaryToPrimaryMapper(Mappers.fromOwnerReferences(Timeline.class))
            .build(),
        context);
  }

  @Override
  public UpdateControl<Timeline> reconcile(Timeline timeline, Context<Timeline> context) {
    try {
      String invalid = SpecRules.names(timeline);
      if (!invalid.isEmpty()) {
        write(timeline, TimelinePlanner.invalid(timeline, invalid, clock.instant()), List.of());
        return UpdateControl.noUpdate();
      }
      Timeline holder = holderBefore(timeline);
      if (holder != null) {
        String message =
            "timeline "
                + TimelineIdentity.of(timeline)
                + " is the one of Timeline "
                + holder.getMetadata().getName()
                + ": delete that with deletionPolicy Retain first, or adopt another";
        write(
            timeline,
            TimelinePlanner.refused(timeline, message, clock.instant()),
            List.of(Notice.warning("AdoptionRefused", message)));
        return UpdateControl.<Timeline>noUpdate().rescheduleAfter(ADOPTION_RETRY);
      }
      attachments.detachMistaken(ShardLayout.WHOLE.shards(timeline).getFirst());
      Credentials credentials = Credentials.read(client, timeline);
      Tenant tenant = context.getSecondaryResource(Tenant.class).orElse(null);
      String nameTaken = nameTaken(timeline, context);
      TimelinePlan plan = plan(timeline, tenant, credentials, nameTaken, Map.of());
      attachments.forget(shards(timeline, tenant), plan);
      Timeline current = timeline;
      Map<Integer, Refusal> refusals = new HashMap<>();
      if (!plan.handOvers().isEmpty()) {
        refusals.putAll(attachments.handOver(timeline, shards(timeline, tenant), plan.handOvers()));
        plan = plan(timeline, tenant, credentials, nameTaken, refusals);
      }
      SourceAccess access = credentials.access();
      if (access != null && (!plan.attaches().isEmpty() || attachments(timeline) > 0)) {
        Failure failure = copies.keep(timeline, access);
        if (failure != null) {
          credentials = credentials.without(failure);
          plan = plan(timeline, tenant, credentials, nameTaken, refusals);
        }
      }
      if (!plan.attaches().isEmpty()) {
        Attachments.Outcome outcome =
            attachments.attach(
                timeline, tenant, shards(timeline, tenant), plan.attaches(), credentials);
        current = outcome.timeline();
        refusals.putAll(outcome.failures());
        plan = plan(current, tenant, credentials, nameTaken, refusals);
      }
      apply(current, nameTaken.isEmpty() ? tenant : null, plan, context);
      UpdateControl<Timeline> control = UpdateControl.noUpdate();
      Duration again = plan.again();
      return again == null ? control : control.rescheduleAfter(again);
    } catch (KubernetesClientException e) {
      if (Conflict.isConflict(e)) {
        return UpdateControl.<Timeline>noUpdate().rescheduleAfter(RETRY);
      }
      if (Conflict.isNamespaceGoing(e)) {
        LOG.info(
            "Timeline {}/{}: its namespace is being deleted",
            timeline.getMetadata().getNamespace(),
            timeline.getMetadata().getName());
        return UpdateControl.noUpdate();
      }
      throw e;
    }
  }

  /** As many shards as the tenant wants; without a tenant as many as were attached. */
  private static List<ShardId> shards(Timeline timeline, @Nullable Tenant tenant) {
    if (tenant != null) {
      return ShardLayout.of(tenant).shards(timeline);
    }
    TimelineStatus status = timeline.getStatus();
    int attached = status == null || status.shards() == null ? 1 : status.shards().size();
    return new ShardLayout(Math.max(1, attached), ShardLayout.WHOLE.stripe()).shards(timeline);
  }

  /**
   * @param failures by shard, of attachments that were just tried
   */
  private TimelinePlan plan(
      Timeline timeline,
      @Nullable Tenant tenant,
      Credentials credentials,
      String nameTaken,
      Map<Integer, Refusal> failures) {
    List<ShardWorld> shards = new ArrayList<>();
    boolean isFull = false;
    for (ShardId id : shards(timeline, tenant)) {
      PageserverPod pod = TenantPlanner.placedOn(tenant, id.index(), fleet.pods());
      List<Holder> holders = fleet.holders(id);
      holders.forEach(holder -> remember(id, holder.report()));
      isFull |= holders.stream().anyMatch(h -> h.report().fullSource() != null);
      shards.add(
          new ShardWorld(
              id.index(),
              pod,
              pod != null && fleet.reports(pod.uid()) != null,
              holders,
              failures.get(id.index()),
              attachments.handOverSince(id),
              copiedInVain.getOrDefault(id, 0L)));
    }
    return TimelinePlanner.plan(
        new TimelineWorld(
            timeline,
            tenant,
            credentials.token(),
            fleet.secret(),
            credentials.access(),
            credentials.tokenFailure(),
            credentials.accessFailure(),
            nameTaken,
            isFull ? sourceShards(timeline) : 0,
            shards,
            clock.instant()));
  }

  /** How many are written down. */
  private static int attachments(Timeline timeline) {
    TimelineStatus status = timeline.getStatus();
    return status == null || status.shards() == null ? 0 : status.shards().size();
  }

  private void remember(ShardId shard, Report report) {
    if (report.isReadable()) {
      copiedInVain.remove(shard);
    } else if (report.state() == Report.State.SourceFailing) {
      copiedInVain.merge(shard, report.copiedBytes(), Math::max);
    }
  }

  /** Of all timelines that follow the same primary. */
  private int sourceShards(Timeline timeline) {
    return Objects.requireNonNull(all, "set when the controller starts")
        .byIndex(BY_SOURCE, SourceAccess.address(timeline))
        .stream()
        .mapToInt(t -> Math.max(1, attachments(t)))
        .sum();
  }

  /** The Timeline of its tenant that has the same one and had it first; null: none. */
  private @Nullable Timeline holderBefore(Timeline timeline) {
    return TimelineIdentity.holderBefore(
        timeline,
        Objects.requireNonNull(all, "set when the controller starts")
            .byIndex(
                BY_TENANT,
                key(timeline.getMetadata().getNamespace(), timeline.getSpec().tenant())));
  }

  /** What has the name of the Service and is not the operator's; empty: nothing. */
  private String nameTaken(Timeline timeline, Context<Timeline> context) {
    if (context.getSecondaryResource(Service.class).isPresent()) {
      return "";
    }
    String name = TimelineObjects.name(timeline);
    String namespace = timeline.getMetadata().getNamespace();
    Service service = client.services().inNamespace(namespace).withName(name).get();
    return service == null || TimelineObjects.isOwned(service)
        ? ""
        : "there is a Service "
            + name
            + " already, which is not this Timeline's: delete that, or create the Timeline under"
            + " another name";
  }

  /**
   * @param tenant null: nothing is led anywhere
   */
  private void apply(
      Timeline timeline, @Nullable Tenant tenant, TimelinePlan plan, Context<Timeline> context) {
    if (tenant != null) {
      lead(timeline, plan, context);
      for (Detach detach : plan.detaches()) {
        attachments.detach(timeline, shards(timeline, tenant).get(detach.shard()), detach.podUid());
      }
    }
    write(timeline, plan.status(), plan.notices());
  }

  private void write(Timeline timeline, TimelineStatus status, List<Notice> notices) {
    if (!status.equals(timeline.getStatus())) {
      timeline.setStatus(status);
      client.resource(timeline).updateStatus();
      events.write(timeline, notices);
    }
  }

  /** Leads computes to the pods that serve. */
  private void lead(Timeline timeline, TimelinePlan plan, Context<Timeline> context) {
    int shards = plan.endpoints().size();
    Service service = TimelineObjects.service(timeline, shards);
    if (!TimelineObjects.isAsWanted(
        context.getSecondaryResource(Service.class).orElse(null), service)) {
      apply(service);
    }
    Map<String, EndpointSlice> present =
        context
            .getSecondaryResourcesAsStream(EndpointSlice.class)
            .collect(Collectors.toMap(s -> s.getMetadata().getName(), s -> s));
    for (int shard = 0; shard < shards; shard++) {
      EndpointSlice endpoints =
          TimelineObjects.endpoints(timeline, shard, plan.endpoints().get(shard).orElse(null));
      if (!TimelineObjects.isAsWanted(present.get(endpoints.getMetadata().getName()), endpoints)) {
        apply(endpoints);
      }
    }
  }

  private void apply(HasMetadata object) {
    client
        .resource(object)
        .fieldManager(TimelineObjects.MANAGER)
        .forceConflicts()
        .serverSideApply();
  }

  @Override
  public DeleteControl cleanup(Timeline timeline, Context<Timeline> context) {
    Tenant tenant = context.getSecondaryResource(Tenant.class).orElse(null);
    boolean isHolder = !SpecRules.names(timeline).isEmpty() || holderBefore(timeline) == null;
    if (isHolder && SpecRules.names(timeline).isEmpty()) {
      attachments.detachMistaken(ShardLayout.WHOLE.shards(timeline).getFirst());
    }
    DeleteControl control = deletion.cleanup(timeline, tenant, isHolder);
    if (control.isRemoveFinalizer() && SpecRules.names(timeline).isEmpty()) {
      shards(timeline, tenant).forEach(copiedInVain::remove);
    }
    return control;
  }
}
