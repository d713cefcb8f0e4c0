package dev.varve.operator.reconcile;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.api.v1.AttachTimelineRequest;
import dev.varve.crd.ApiServer;
import dev.varve.crd.Condition;
import dev.varve.crd.DeletionPolicy;
import dev.varve.crd.PrimarySource;
import dev.varve.crd.SecretKey;
import dev.varve.crd.ShardPlacement;
import dev.varve.crd.Source;
import dev.varve.crd.SslMode;
import dev.varve.crd.Tenant;
import dev.varve.crd.TenantSpec;
import dev.varve.crd.Timeline;
import dev.varve.crd.TimelineSpec;
import dev.varve.operator.OperatorConfig;
import dev.varve.operator.pageserver.Fleet;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.NamespaceBuilder;
import io.fabric8.kubernetes.api.model.ObjectMetaBuilder;
import io.fabric8.kubernetes.api.model.PodBuilder;
import io.fabric8.kubernetes.api.model.Secret;
import io.fabric8.kubernetes.api.model.SecretBuilder;
import io.fabric8.kubernetes.api.model.ServiceAccountBuilder;
import io.fabric8.kubernetes.api.model.discovery.v1.EndpointSlice;
import io.fabric8.kubernetes.client.Config;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.fabric8.kubernetes.client.http.HttpClient;
import io.javaoperatorsdk.operator.Operator;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * A real API server with the shipped definitions and Roles, pageservers that only manage, and
 * operators that run under the shipped Role. There is no kubelet: pods are ready when a test says
 * so, and one that is deleted stays until it is removed.
 */
final class TestCluster implements AutoCloseable {
  static final String SHOP = "shop";

  private static final Path BASE = Path.of("..", "deploy", "base");
  private static final TestConfig SETTINGS =
      new TestConfig(
          "varve",
          "app.kubernetes.io/component=pageserver",
          "varve-management",
          Duration.ofSeconds(2),
          Duration.ofMillis(300),
          Duration.ofSeconds(5),
          Duration.ofSeconds(5));

  /** Generations by tenant, timeline's id and shard, as an object store would tell. */
  final Map<String, Integer> store = new ConcurrentHashMap<>();

  final KubernetesClient admin;
  private final ApiServer server;
  private final Map<String, FakePageserver> byAddress = new ConcurrentHashMap<>();

  private record TestConfig(
      String namespace,
      String pageserverSelector,
      String managementSecret,
      Duration grace,
      Duration pollInterval,
      Duration tokenOverlap,
      Duration slotDropTimeout)
      implements OperatorConfig {}

  /** An operator. Closing it is not waited for by anything that it was about to do. */
  record RunningOperator(KubernetesClient client, Fleet fleet, Operator operator)
      implements AutoCloseable {
    /** As if its power were cut: nothing it is about to do reaches anybody. */
    void kill() {
      client.close();
      fleet.close();
      operator.stop();
    }

    @Override
    public void close() {
      operator.stop();
      fleet.close();
      client.close();
    }
  }

  TestCluster() throws IOException {
    server = ApiServer.start();
    admin = new KubernetesClientBuilder().withConfig(server.config()).build();
    install();
  }

  private void install() throws IOException {
    for (String name : List.of("varve", SHOP)) {
      admin
          .resource(new NamespaceBuilder().withNewMetadata().withName(name).endMetadata().build())
          .create();
    }
    admin
        .resource(
            new ServiceAccountBuilder()
                .withNewMetadata()
                .withName("default")
                .withNamespace("varve")
                .endMetadata()
                .build())
        .create();
    for (String file :
        List.of(
            "crd/tenants.varve.dev.yaml", "crd/timelines.varve.dev.yaml", "operator/rbac.yaml")) {
      admin.load(Files.newInputStream(BASE.resolve(file))).create();
    }
    // Addresses for many Services; there are 254 otherwise.
    admin
        .resource(
            """
            apiVersion: networking.k8s.io/v1
            kind: ServiceCIDR
            metadata:
              name: more
            spec:
              cidrs: [10.64.0.0/16]
            """)
        .create();
    ApiServer.awaitDefinitions(admin);
    access(SHOP);
  }

  /** Lets operators get the Secrets of a namespace. */
  void access(String namespace) {
    try (InputStream bindings = Files.newInputStream(BASE.resolve("../examples/access.yaml"))) {
      admin
          .load(bindings)
          .items()
          .forEach(binding -> admin.resource(binding).inNamespace(namespace).create());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  RunningOperator operator() {
    return operator(_ -> {}, Duration.ofMinutes(5), false);
  }

  /**
   * An operator that is tampered with.
   *
   * @param http what its calls go through
   * @param interval at most so long after a reconciliation comes the next
   * @param blind whether it is told of no change of a Tenant or Timeline that it knows
   */
  RunningOperator operator(Consumer<HttpClient.Builder> http, Duration interval, boolean blind) {
    Config config = server.config();
    config.setImpersonateUsername("system:serviceaccount:varve:varve-operator");
    KubernetesClient client =
        new KubernetesClientBuilder()
            .withConfig(config)
            .withHttpClientBuilderConsumer(http)
            .build();
    String token =
        ManagementToken.getOrMake(
            client, SETTINGS.namespace(), SETTINGS.managementSecret(), new SecureRandom());
    Fleet fleet =
        new Fleet(
            client,
            SETTINGS.namespace(),
            SETTINGS.pageserverSelector(),
            pod ->
                new InetSocketAddress(InetAddress.getLoopbackAddress(), at(pod.address()).port()),
            token,
            SETTINGS.pollInterval(),
            SETTINGS.grace());
    Operator operator = new Operator(o -> o.withKubernetesClient(client));
    operator.register(
        new TenantReconciler(client, fleet, SETTINGS, Clock.systemUTC()),
        o -> o.withReconciliationMaxInterval(interval).withOnUpdateFilter((_, _) -> !blind));
    operator.register(
        new TimelineReconciler(client, fleet, SETTINGS, Clock.systemUTC()),
        o -> o.withReconciliationMaxInterval(interval).withOnUpdateFilter((_, _) -> !blind));
    operator.start();
    return new RunningOperator(client, fleet, operator);
  }

  /** For an operator in another process. */
  String kubeconfig() {
    return server.kubeconfig();
  }

  /** What answers at a pod's address; the loopback interface is refused by the API server. */
  FakePageserver at(String address) {
    return byAddress.computeIfAbsent(
        address,
        a -> {
          try {
            return new FakePageserver(store);
          } catch (IOException e) {
            throw new AssertionError(e);
          }
        });
  }

  /** What is attached to any pageserver. */
  List<AttachTimelineRequest> attached() {
    return byAddress.values().stream().flatMap(p -> p.attached.values().stream()).toList();
  }

  static void await(String what, BooleanSupplier condition) {
    await(what, Duration.ofSeconds(90), condition);
  }

  /** Looks ten times a second, or less often at what takes long to see. */
  static void await(String what, Duration patience, BooleanSupplier condition) {
    long start = System.nanoTime();
    long looked = start;
    while (!condition.getAsBoolean()) {
      long now = System.nanoTime();
      assertTrue(now - start < patience.toNanos(), () -> "waited in vain for " + what);
      try {
        TimeUnit.NANOSECONDS.sleep(
            Math.max(TimeUnit.MILLISECONDS.toNanos(100), 5 * (now - looked)));
        looked = System.nanoTime();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new AssertionError(e);
      }
    }
  }

  /** A pod that is ready. */
  void pageserver(String name, String address) {
    admin
        .resource(
            new PodBuilder()
                .withNewMetadata()
                .withName(name)
                .withNamespace("varve")
                .addToLabels("app.kubernetes.io/component", "pageserver")
                .endMetadata()
                .withNewSpec()
                .withNodeName("node-of-" + name)
                .withAutomountServiceAccountToken(false)
                .addNewContainer()
                .withName("pageserver")
                .withImage("pageserver")
                .endContainer()
                .endSpec()
                .build())
        .create();
    ready(name, address, true);
  }

  void ready(String name, String address, boolean ready) {
    ready(name, address, ready, Instant.now());
  }

  void ready(String name, String address, boolean ready, Instant since) {
    admin
        .pods()
        .inNamespace("varve")
        .withName(name)
        .editStatus(pod ->
            new PodBuilder(pod)
                .withNewStatus()
                .withPodIP(address)
                .addNewPodIP(address)
                .addNewCondition()
                .withType("Ready")
                .withStatus(ready ? "True" : "False")
                .withLastTransitionTime(since.toString())
                .endCondition()
                .endStatus()
                .build());
  }

  /** The pod is told to go; it is there until it is {@link #remove removed}. */
  void leave(String name) {
    admin.pods().inNamespace("varve").withName(name).withGracePeriod(60).delete();
  }

  void remove(String name) {
    admin.pods().inNamespace("varve").withName(name).withGracePeriod(0).delete();
  }

  void tenant(String name, int shards) {
    Tenant tenant = new Tenant();
    tenant.setMetadata(new ObjectMetaBuilder().withName(name).withNamespace(SHOP).build());
    tenant.setSpec(new TenantSpec(shards, 2048, DeletionPolicy.Retain, null));
    admin.resource(tenant).create();
  }

  @Nullable Tenant tenant(String name) {
    return admin.resources(Tenant.class).inNamespace(SHOP).withName(name).get();
  }

  /**
   * @param secret with the password under the key {@code password}; null: no source
   */
  void timeline(String name, String tenant, @Nullable String secret) {
    Source source =
        secret == null
            ? null
            : new Source(
                new PrimarySource(
                    "db",
                    5432,
                    "varve",
                    new SecretKey(secret, "password"),
                    "postgres",
                    SslMode.DISABLE,
                    null,
                    null,
                    null,
                    null));
    Timeline timeline = new Timeline();
    timeline.setMetadata(new ObjectMetaBuilder().withName(name).withNamespace(SHOP).build());
    timeline.setSpec(new TimelineSpec(tenant, source, DeletionPolicy.Delete));
    admin.resource(timeline).create();
  }

  /** One that adopts a timeline of the store. */
  void adopt(String name, String tenant, String id) {
    Timeline timeline = new Timeline();
    timeline.setMetadata(new ObjectMetaBuilder().withName(name).withNamespace(SHOP).build());
    timeline.setSpec(new TimelineSpec(tenant, null, DeletionPolicy.Delete, id));
    admin.resource(timeline).create();
  }

  /** Whether the store holds anything of a tenant. */
  boolean isStored(String tenantId) {
    return store.keySet().stream().anyMatch(stored -> stored.startsWith(tenantId + "/"));
  }

  @Nullable Timeline timeline(String name) {
    return admin.resources(Timeline.class).inNamespace(SHOP).withName(name).get();
  }

  void delete(Timeline timeline) {
    admin.resource(timeline).delete();
  }

  boolean isReady(String timeline) {
    return isReady(timeline(timeline));
  }

  static boolean isReady(@Nullable Timeline timeline) {
    Condition ready = condition(timeline, "Ready");
    return ready != null && ready.status().equals("True");
  }

  static @Nullable Condition condition(@Nullable Timeline timeline, String type) {
    if (timeline == null
        || timeline.getStatus() == null
        || timeline.getStatus().conditions() == null) {
      return null;
    }
    return timeline.getStatus().conditions().stream()
        .filter(c -> c.type().equals(type))
        .findFirst()
        .orElse(null);
  }

  boolean hasReason(String timeline, String type, String reason) {
    Condition condition = condition(timeline(timeline), type);
    return condition != null && condition.reason().equals(reason);
  }

  void password(String secret, String password) {
    Secret made =
        new SecretBuilder()
            .withNewMetadata()
            .withName(secret)
            .withNamespace(SHOP)
            .endMetadata()
            .addToStringData("password", password)
            .build();
    admin.resource(made).createOr(r -> r.update());
  }

  /** Where an EndpointSlice leads. */
  List<String> addresses(String slice) {
    EndpointSlice found =
        admin.discovery().v1().endpointSlices().inNamespace(SHOP).withName(slice).get();
    return found == null || found.getEndpoints() == null
        ? List.of()
        : found.getEndpoints().stream().flatMap(e -> e.getAddresses().stream()).toList();
  }

  /** Versions of everything that the operator writes, by kind and name. */
  Map<String, String> versions() {
    Map<String, String> versions = new ConcurrentHashMap<>();
    admin
        .resources(Timeline.class)
        .inNamespace(SHOP)
        .list()
        .getItems()
        .forEach(t -> versions.put("timeline " + name(t), version(t)));
    admin
        .resources(Tenant.class)
        .inNamespace(SHOP)
        .list()
        .getItems()
        .forEach(t -> versions.put("tenant " + name(t), version(t)));
    admin
        .services()
        .inNamespace(SHOP)
        .list()
        .getItems()
        .forEach(s -> versions.put("service " + name(s), version(s)));
    admin
        .discovery()
        .v1()
        .endpointSlices()
        .inNamespace(SHOP)
        .list()
        .getItems()
        .forEach(s -> versions.put("slice " + name(s), version(s)));
    admin
        .v1()
        .events()
        .inNamespace(SHOP)
        .list()
        .getItems()
        .forEach(e -> versions.put("event " + name(e), version(e)));
    return versions;
  }

  private static String name(HasMetadata object) {
    return object.getMetadata().getName();
  }

  private static String version(HasMetadata object) {
    return Objects.requireNonNull(object.getMetadata().getResourceVersion());
  }

  /** The names of the pods that a tenant's shards are placed on. */
  Set<String> podsOf(String tenant) {
    Tenant found = tenant(tenant);
    return found == null || found.getStatus() == null || found.getStatus().shards() == null
        ? Set.of()
        : found.getStatus().shards().stream().map(ShardPlacement::pod).collect(Collectors.toSet());
  }

  @Override
  public void close() {
    byAddress.values().forEach(FakePageserver::close);
    admin.close();
    server.close();
  }
}
