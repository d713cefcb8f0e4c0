package dev.varve.operator.reconcile;

import static dev.varve.operator.reconcile.TestCluster.SHOP;
import static dev.varve.operator.reconcile.TestCluster.await;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.varve.api.v1.AttachTimelineRequest;
import dev.varve.crd.DeletionPolicy;
import dev.varve.crd.PrimarySource;
import dev.varve.crd.Source;
import dev.varve.crd.Tenant;
import dev.varve.crd.TenantSpec;
import dev.varve.crd.Timeline;
import dev.varve.crd.TimelineSpec;
import dev.varve.operator.reconcile.TestCluster.RunningOperator;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.client.http.BasicBuilder;
import io.fabric8.kubernetes.client.http.HttpRequest;
import io.fabric8.kubernetes.client.http.Interceptor;
import io.javaoperatorsdk.operator.api.reconciler.ControllerConfiguration;
import io.javaoperatorsdk.operator.api.reconciler.MaxReconciliationInterval;
import io.javaoperatorsdk.operator.processing.Controller;
import io.javaoperatorsdk.operator.processing.event.ResourceID;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/**
 * A spec that a person changes while the operator writes the same resource. JOSDK before 5.5 holds
 * the result of a patch of its own for the newest there is, and with it swallows the event of a
 * change that the API server took just before. So the operator writes each status itself, with the
 * version that it read, and looks again when that is old. Behind that every resource is looked at
 * every five minutes.
 */
final class SpecChangeIT {
  private static final String ADDRESS = "10.9.3.1";

  /** Less than the five minutes after which everything is looked at anyway. */
  private static final Duration SOON = Duration.ofSeconds(20);

  private static final int ROUNDS = 8;

  private static TestCluster cluster;

  @BeforeAll
  static void start() throws IOException {
    cluster = new TestCluster();
  }

  @AfterAll
  static void stop() {
    if (cluster != null) {
      cluster.close();
    }
  }

  /** Changes a spec just before a write of the operator reaches the API server. */
  private static final class Racer implements Interceptor {
    private final AtomicReference<Race> armed = new AtomicReference<>();

    private record Race(String path, Runnable change) {
      boolean isOf(HttpRequest request) {
        return !request.method().equals("GET")
            && (request.uri().getPath().endsWith(path)
                || request.uri().getPath().endsWith(path + "/status"));
      }
    }

    /** Before the next write of that resource. */
    void arm(String plural, String name, Runnable change) {
      armed.set(new Race("/namespaces/" + SHOP + "/" + plural + "/" + name, change));
    }

    boolean hasRun() {
      return armed.get() == null;
    }

    @Override
    public void before(BasicBuilder builder, HttpRequest request, RequestTags tags) {
      Race race = armed.get();
      if (race != null && race.isOf(request) && armed.compareAndSet(race, null)) {
        race.change().run();
      }
    }
  }

  private static void changeTimeline(DeletionPolicy policy, int port) {
    cluster
        .admin
        .resources(Timeline.class)
        .inNamespace(SHOP)
        .withName("raced")
        .edit(t -> {
          PrimarySource old = t.getSpec().source().primary();
          PrimarySource next =
              new PrimarySource(
                  old.host(),
                  port,
                  old.user(),
                  old.passwordSecret(),
                  old.database(),
                  old.sslMode(),
                  old.slot(),
                  old.synchronous(),
                  old.maxRetainedWal(),
                  old.retainedWalAction());
          t.setSpec(new TimelineSpec(t.getSpec().tenant(), new Source(next), policy));
          return t;
        });
  }

  private static void changeTenant(DeletionPolicy policy) {
    cluster
        .admin
        .resources(Tenant.class)
        .inNamespace(SHOP)
        .withName("racing")
        .edit(t -> {
          t.setSpec(
              new TenantSpec(
                  t.getSpec().shards(), t.getSpec().stripe(), policy, t.getSpec().placement()));
          return t;
        });
  }

  /** Waits until an operator has been told of what the API server has now. */
  private static void told(RunningOperator operator, HasMetadata now) {
    String controller = now.getKind().toLowerCase(Locale.ROOT);
    var source =
        ((Controller<?>) operator.operator().getRegisteredController(controller).orElseThrow())
            .getEventSourceManager()
            .getControllerEventSource();
    await(
        "the operator to be told of it",
        () ->
            source
                .get(ResourceID.fromResource(now))
                .filter(
                    seen -> seen.getMetadata().getGeneration() >= now.getMetadata().getGeneration())
                .isPresent());
  }

  private static boolean isSeen(Tenant tenant) {
    return tenant.getStatus() != null
        && tenant.getMetadata().getGeneration().equals(tenant.getStatus().observedGeneration());
  }

  private static boolean isSeen(Timeline timeline) {
    return timeline.getStatus() != null
        && timeline.getMetadata().getGeneration().equals(timeline.getStatus().observedGeneration());
  }

  @Test
  void aChangeDuringAStatusWriteIsNotSwallowed() {
    Racer racer = new Racer();
    cluster.pageserver("sc-0", ADDRESS);
    cluster.password("raced-password", "one");
    try (RunningOperator operator =
        cluster.operator(
            http -> http.addOrReplaceInterceptor("racer", racer), Duration.ofMinutes(5), false)) {
      racer.arm("tenants", "racing", () -> changeTenant(DeletionPolicy.Delete));
      cluster.tenant("racing", 1);
      await("a finalizer", SOON, racer::hasRun);
      await("the tenant's change to be seen", SOON, () -> isSeen(cluster.tenant("racing")));
      racer.arm("timelines", "raced", () -> changeTimeline(DeletionPolicy.Delete, 5999));
      cluster.timeline("raced", "racing", "raced-password");
      await("a finalizer", SOON, racer::hasRun);
      await("the timeline's change to be seen", SOON, () -> isAttachedTo(5999));

      for (int round = 0; round < ROUNDS; round++) {
        // Even rounds write at once, odd ones when the operator has been told of the change.
        boolean tell = round % 2 != 0;
        racer.arm(
            "tenants",
            "racing",
            () -> {
              changeTenant(DeletionPolicy.Delete);
              if (tell) {
                told(operator, cluster.tenant("racing"));
              }
            });
        changeTenant(DeletionPolicy.Retain);
        await("a status of the tenant", SOON, racer::hasRun);
        await("the tenant's change to be seen", SOON, () -> isSeen(cluster.tenant("racing")));

        int port = 6000 + round;
        racer.arm(
            "timelines",
            "raced",
            () -> {
              changeTimeline(DeletionPolicy.Delete, port);
              if (tell) {
                told(operator, cluster.timeline("raced"));
              }
            });
        changeTimeline(DeletionPolicy.Retain, port - 1);
        await("a status of the timeline", SOON, racer::hasRun);
        await("the timeline's change to be seen", SOON, () -> isAttachedTo(port));
      }
      clear();
    }
  }

  private static boolean isAttachedTo(int port) {
    AttachTimelineRequest attached = cluster.at(ADDRESS).attached.get("shop.racing/raced");
    return attached != null
        && attached.getPrimary().getPort() == port
        && isSeen(cluster.timeline("raced"));
  }

  private static void clear() {
    cluster.delete(cluster.timeline("raced"));
    await("gone", () -> cluster.timeline("raced") == null);
    cluster.admin.resource(cluster.tenant("racing")).delete();
    await("gone", () -> cluster.tenant("racing") == null);
    cluster.remove("sc-0");
  }

  /** Whatever is swallowed: here every change of what the operator knows already. */
  @Test
  void aSwallowedChangeIsSeenAtTheNextLook() {
    cluster.pageserver("sc-0", ADDRESS);
    cluster.password("raced-password", "one");
    try (RunningOperator _ = cluster.operator(_ -> {}, Duration.ofSeconds(3), true)) {
      cluster.tenant("racing", 1);
      await("the tenant to be placed", () -> isSeen(cluster.tenant("racing")));
      cluster.timeline("raced", "racing", "raced-password");
      await("served", () -> cluster.isReady("raced"));
      changeTimeline(DeletionPolicy.Delete, 5555);
      await("the timeline's change to be seen", SOON, () -> isAttachedTo(5555));
      changeTenant(DeletionPolicy.Delete);
      await("the tenant's change to be seen", SOON, () -> isSeen(cluster.tenant("racing")));
    }
    try (RunningOperator _ = cluster.operator()) {
      clear();
    }
  }

  @Test
  void everyResourceIsLookedAtWithinMinutes() {
    for (Class<?> reconciler : List.of(TenantReconciler.class, TimelineReconciler.class)) {
      ControllerConfiguration configuration =
          reconciler.getAnnotation(ControllerConfiguration.class);
      MaxReconciliationInterval interval = configuration.maxReconciliationInterval();
      assertEquals(
          Duration.ofMinutes(5),
          Duration.of(interval.interval(), interval.timeUnit().toChronoUnit()));
    }
  }
}
