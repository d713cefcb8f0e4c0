package dev.varve.operator.reconcile;

import dev.varve.crd.ShardAttachment;
import dev.varve.crd.Tenant;
import dev.varve.crd.Timeline;
import dev.varve.crd.TimelineStatus;
import dev.varve.operator.OperatorConfig;
import dev.varve.operator.pageserver.Fleet;
import dev.varve.operator.pageserver.PageserverClient;
import dev.varve.operator.plan.Notice;
import dev.varve.operator.plan.PageserverPod;
import dev.varve.operator.plan.Report;
import dev.varve.operator.plan.TenantPlanner;
import dev.varve.operator.plan.TimelinePlan;
import dev.varve.operator.plan.TimelinePlan.Attach;
import dev.varve.operator.plan.TimelinePlanner;
import dev.varve.operator.plan.TimelineWorld;
import dev.varve.operator.render.TimelineObjects;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.discovery.v1.EndpointSlice;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
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
import io.javaoperatorsdk.operator.processing.event.source.informer.Mappers;
import io.javaoperatorsdk.operator.processing.retry.GradualRetry;
import jakarta.inject.Singleton;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Keeps each timeline attached where its tenant is placed, and its Service leading there; see
 * {@link TimelinePlanner}. Before an attachment its generation is written down.
 */
@GradualRetry(maxAttempts = Integer.MAX_VALUE, initialInterval = 1000, maxInterval = 30_000)
@Singleton
@ControllerConfiguration(
    name = "timeline",
    finalizerName = "varve.dev/operator",
    maxReconciliationInterval =
        @MaxReconciliationInterval(interval = 2, timeUnit = TimeUnit.MINUTES))
public final class TimelineReconciler implements Reconciler<Timeline>, Cleaner<Timeline> {
  private static final String BY_TENANT = "tenant";
  private static final Duration RETRY = Duration.ofMillis(300);

  private final KubernetesClient client;
  private final Fleet fleet;
  private final InstantSource clock;
  private final Events events;
  private final TimelineDeletion deletion;

  public TimelineReconciler(
      KubernetesClient client, Fleet fleet, OperatorConfig config, InstantSource clock) {
    this.client = client;
    this.fleet = fleet;
    this.clock = clock;
    this.events = new Events(client);
    this.deletion = new TimelineDeletion(client, fleet, config.slotDropTimeout(), clock);
  }

  @Override
  public List<EventSource<?, Timeline>> prepareEventSources(EventSourceContext<Timeline> context) {
    context
        .getPrimaryCache()
        .addIndexer(
            BY_TENANT, t -> List.of(key(t.getMetadata().getNamespace(), t.getSpec().tenant())));
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
                .withPrimaryToSecondaryMapper((Timeline t) ->
                    Set.of(new ResourceID(t.getSpec().tenant(), t.getMetadata().getNamespace())))
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
                .build(),
            context);
    return List.of(
        pageservers, tenants, owned(Service.class, context), owned(EndpointSlice.class, context));
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
      Credentials credentials = Credentials.read(client, timeline);
      Tenant tenant = context.getSecondaryResource(Tenant.class).orElse(null);
      TimelinePlan plan = TimelinePlanner.plan(world(timeline, tenant, credentials, ""));
      Timeline current = timeline;
      if (plan.attach() != null) {
        Attached outcome = attach(timeline, plan.attach(), credentials);
        current = outcome.timeline();
        plan = TimelinePlanner.plan(world(current, tenant, credentials, outcome.trouble()));
      }
      apply(current, plan, context);
      UpdateControl<Timeline> control = UpdateControl.noUpdate();
      Duration again = plan.again();
      return again == null ? control : control.rescheduleAfter(again);
    } catch (KubernetesClientException e) {
      if (Conflict.isConflict(e)) {
        return UpdateControl.<Timeline>noUpdate().rescheduleAfter(RETRY);
      }
      throw e;
    }
  }

  private TimelineWorld world(
      Timeline timeline, @Nullable Tenant tenant, Credentials credentials, String attachTrouble) {
    PageserverPod pod = TimelinePlanner.placedOn(tenant, fleet.pods());
    String id = id(timeline);
    Map<String, Report> reports = pod == null ? null : fleet.reports(pod.uid());
    return new TimelineWorld(
        timeline,
        tenant,
        credentials.token(),
        credentials.access(),
        credentials.trouble(),
        pod,
        reports != null,
        reports == null ? null : reports.get(id),
        fleet.holders(id, pod == null ? null : pod.uid()),
        attachTrouble,
        clock.instant());
  }

  static String tenantId(Timeline timeline) {
    return TenantPlanner.tenantId(
        timeline.getMetadata().getNamespace(), timeline.getSpec().tenant());
  }

  static String id(Timeline timeline) {
    return tenantId(timeline) + "/" + timeline.getMetadata().getName();
  }

  /**
   * What came of an attachment.
   *
   * @param timeline with the status as it was written
   * @param trouble empty for none
   */
  private record Attached(Timeline timeline, String trouble) {}

  private Attached attach(Timeline timeline, Attach attach, Credentials credentials) {
    PageserverClient pageserver = fleet.client(attach.pod());
    Timeline current = timeline;
    try {
      boolean raise = attach.raise();
      while (true) {
        if (raise) {
          current = raise(current, attach, pageserver);
        }
        ShardAttachment written =
            Objects.requireNonNull(
                TimelinePlanner.attachment(current.getStatus()), "was written down");
        try {
          pageserver.attach(
              tenantId(timeline),
              timeline.getMetadata().getName(),
              written.generation(),
              Objects.requireNonNull(credentials.token(), "no attachment without a token"),
              credentials.access());
          break;
        } catch (StatusRuntimeException e) {
          if (e.getStatus().getCode() != Status.Code.ABORTED || raise) {
            throw e;
          }
          raise = true;
        }
      }
      if (!attach.why().isEmpty()) {
        events.write(
            current,
            new Notice(
                false,
                "Attached",
                "attached to "
                    + attach.pod().name()
                    + " with generation "
                    + Objects.requireNonNull(TimelinePlanner.attachment(current.getStatus()))
                        .generation()
                    + ": "
                    + attach.why()));
      }
      fleet.poll(attach.pod());
      return new Attached(current, "");
    } catch (StatusRuntimeException e) {
      String description = e.getStatus().getDescription();
      return new Attached(
          current,
          attach.pod().name()
              + ": "
              + (description == null ? e.getStatus().getCode().name() : description));
    }
  }

  /** Writes the next generation down: above the status's and above what the store has seen. */
  private Timeline raise(Timeline timeline, Attach attach, PageserverClient pageserver) {
    ShardAttachment before = TimelinePlanner.attachment(timeline.getStatus());
    int stored = pageserver.storedGeneration(tenantId(timeline), timeline.getMetadata().getName());
    int next = Math.max(stored, before == null ? 0 : before.generation()) + 1;
    timeline.setStatus(TimelinePlanner.raised(timeline.getStatus(), attach, next));
    return client.resource(timeline).updateStatus();
  }

  private void apply(Timeline timeline, TimelinePlan plan, Context<Timeline> context) {
    Service service = TimelineObjects.service(timeline);
    if (!TimelineObjects.isAsWanted(
        context.getSecondaryResource(Service.class).orElse(null), service)) {
      apply(service);
    }
    EndpointSlice endpoints = TimelineObjects.endpoints(timeline, plan.endpoint());
    if (!TimelineObjects.isAsWanted(
        context.getSecondaryResource(EndpointSlice.class).orElse(null), endpoints)) {
      apply(endpoints);
    }
    for (String uid : plan.detachFrom()) {
      detach(uid, timeline);
    }
    TimelineStatus status = plan.status();
    if (!status.equals(timeline.getStatus())) {
      timeline.setStatus(status);
      client.resource(timeline).updateStatus();
      events.write(timeline, plan.notices());
    }
  }

  private void apply(HasMetadata object) {
    client
        .resource(object)
        .fieldManager(TimelineObjects.MANAGER)
        .forceConflicts()
        .serverSideApply();
  }

  /** A pod that was lost and came back; if it does not listen it is told again later. */
  private void detach(String podUid, Timeline timeline) {
    PageserverClient pageserver = fleet.client(podUid);
    if (pageserver == null) {
      return;
    }
    try {
      pageserver.detach(tenantId(timeline), timeline.getMetadata().getName(), null, false);
      events.write(
          timeline, new Notice(false, "Detached", "detached from a pageserver that had it before"));
    } catch (StatusRuntimeException e) {
      events.write(
          timeline,
          new Notice(true, "DetachFailed", String.valueOf(e.getStatus().getDescription())));
    }
  }

  @Override
  public DeleteControl cleanup(Timeline timeline, Context<Timeline> context) {
    Tenant tenant = context.getSecondaryResource(Tenant.class).orElse(null);
    return deletion.cleanup(timeline, tenant);
  }
}
