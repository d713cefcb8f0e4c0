package dev.varve.operator.reconcile;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.google.protobuf.ByteString;
import dev.varve.api.v1.AttachTimelineRequest;
import dev.varve.api.v1.DetachTimelineRequest;
import dev.varve.crd.Condition;
import dev.varve.crd.DeletionPolicy;
import dev.varve.crd.PrimarySource;
import dev.varve.crd.SecretKey;
import dev.varve.crd.Source;
import dev.varve.crd.SslMode;
import dev.varve.crd.Tenant;
import dev.varve.crd.TenantSpec;
import dev.varve.crd.Timeline;
import dev.varve.crd.TimelineSpec;
import dev.varve.operator.OperatorConfig;
import dev.varve.operator.pageserver.Fleet;
import dev.varve.operator.render.TokenSecret;
import io.fabric8.kubeapitest.KubeAPIServer;
import io.fabric8.kubeapitest.KubeAPIServerConfigBuilder;
import io.fabric8.kubernetes.api.model.NamespaceBuilder;
import io.fabric8.kubernetes.api.model.ObjectMetaBuilder;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.PodBuilder;
import io.fabric8.kubernetes.api.model.Secret;
import io.fabric8.kubernetes.api.model.SecretBuilder;
import io.fabric8.kubernetes.api.model.ServiceAccountBuilder;
import io.fabric8.kubernetes.api.model.discovery.v1.EndpointSlice;
import io.fabric8.kubernetes.client.Config;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.javaoperatorsdk.operator.Operator;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/**
 * The controllers under the shipped Role, against a real API server, with pageservers that only
 * manage. There is no kubelet: the test makes pods ready itself.
 */
final class OperatorIT {
  private static final Path BASE = Path.of("..", "deploy", "base");
  private static final String SHOP = "shop";

  /** The pods' addresses as the API server sees them; the loopback interface is refused. */
  private static final String FIRST = "10.9.0.1";

  private static final String SECOND = "10.9.0.2";
  private static final String THIRD = "10.9.0.3";

  private static KubeAPIServer server;
  private static KubernetesClient admin;
  private static KubernetesClient client;
  private static Fleet fleet;
  private static Operator operator;
  private static final Map<String, Integer> STORE = new ConcurrentHashMap<>();
  private static FakePageserver first;
  private static FakePageserver second;
  private static FakePageserver third;

  private record TestConfig(
      String namespace,
      String pageserverSelector,
      String managementSecret,
      Duration grace,
      Duration pollInterval,
      Duration slotDropTimeout)
      implements OperatorConfig {}

  @BeforeAll
  static void start() throws IOException {
    String directory = System.getenv("VARVE_KUBE_API_DIR");
    assumeTrue(
        directory != null,
        "VARVE_KUBE_API_DIR names no directory with kube-apiserver and etcd (docs/testing.md)");
    server =
        new KubeAPIServer(
            KubeAPIServerConfigBuilder.anAPIServerConfig()
                .withTestDir(directory)
                .withApiServerVersion("1.34.4")
                .withOfflineMode(true)
                .withUpdateKubeConfig(false)
                .withStartupTimeout(120_000)
                .build());
    server.start();
    Config config = Config.fromKubeconfig(server.getKubeConfigYaml());
    admin = new KubernetesClientBuilder().withConfig(config).build();
    install();
    Config asOperator = Config.fromKubeconfig(server.getKubeConfigYaml());
    asOperator.setImpersonateUsername("system:serviceaccount:varve:varve-operator");
    client = new KubernetesClientBuilder().withConfig(asOperator).build();

    first = new FakePageserver(STORE);
    second = new FakePageserver(STORE);
    third = new FakePageserver(STORE);
    TestConfig settings =
        new TestConfig(
            "varve",
            "app.kubernetes.io/component=pageserver",
            "varve-management",
            Duration.ofSeconds(2),
            Duration.ofMillis(300),
            Duration.ofSeconds(5));
    String token =
        ManagementToken.getOrMake(client, "varve", "varve-management", new SecureRandom());
    assertEquals(
        token, ManagementToken.getOrMake(client, "varve", "varve-management", new SecureRandom()));
    fleet =
        new Fleet(
            client,
            settings.namespace(),
            settings.pageserverSelector(),
            pod ->
                new InetSocketAddress(InetAddress.getLoopbackAddress(), at(pod.address()).port()),
            token,
            settings.pollInterval());
    operator = new Operator(o -> o.withKubernetesClient(client));
    operator.register(new TenantReconciler(client, fleet, settings, Clock.systemUTC()));
    operator.register(new TimelineReconciler(client, fleet, settings, Clock.systemUTC()));
    operator.start();
  }

  private static void install() throws IOException {
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
    await(
        "definitions",
        () ->
            admin.apiextensions().v1().customResourceDefinitions().list().getItems().stream()
                    .filter(d ->
                        d.getStatus() != null
                            && d.getStatus().getConditions() != null
                            && d.getStatus().getConditions().stream()
                                .anyMatch(c ->
                                    c.getType().equals("Established")
                                        && c.getStatus().equals("True")))
                    .count()
                == 2);
  }

  @AfterAll
  static void stop() {
    if (operator != null) {
      operator.stop();
      fleet.close();
      client.close();
      first.close();
      second.close();
      third.close();
    }
    if (admin != null) {
      admin.close();
    }
    if (server != null) {
      server.stop();
    }
  }

  private static FakePageserver at(String address) {
    return switch (address) {
      case FIRST -> first;
      case SECOND -> second;
      case THIRD -> third;
      default -> throw new AssertionError(address);
    };
  }

  private static void await(String what, BooleanSupplier condition) {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(90);
    while (!condition.getAsBoolean()) {
      assertTrue(System.nanoTime() < deadline, () -> "waited in vain for " + what);
      try {
        TimeUnit.MILLISECONDS.sleep(100);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new AssertionError(e);
      }
    }
  }

  private static Pod pageserver(String name, String address) {
    Pod pod =
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
    return pod;
  }

  private static void ready(String name, String address, boolean ready) {
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
                .withLastTransitionTime(Instant.now().toString())
                .endCondition()
                .endStatus()
                .build());
  }

  private static void tenant(String name) {
    Tenant tenant = new Tenant();
    tenant.setMetadata(new ObjectMetaBuilder().withName(name).withNamespace(SHOP).build());
    admin.resource(tenant).create();
  }

  private static void timeline(String name, String tenant, String secret) {
    Timeline timeline = new Timeline();
    timeline.setMetadata(new ObjectMetaBuilder().withName(name).withNamespace(SHOP).build());
    timeline.setSpec(
        new TimelineSpec(
            tenant,
            new Source(
                new PrimarySource(
                    "db",
                    5432,
                    "varve",
                    new SecretKey(secret, "password"),
                    "postgres",
                    SslMode.DISABLE,
                    null)),
            DeletionPolicy.Delete));
    admin.resource(timeline).create();
  }

  private static @Nullable Timeline timeline(String name) {
    return admin.resources(Timeline.class).inNamespace(SHOP).withName(name).get();
  }

  private static boolean isReady(String timeline) {
    Condition ready = condition(timeline, "Ready");
    return ready != null && ready.status().equals("True");
  }

  private static @Nullable Condition condition(String timeline, String type) {
    Timeline found = timeline(timeline);
    if (found == null || found.getStatus() == null || found.getStatus().conditions() == null) {
      return null;
    }
    return found.getStatus().conditions().stream()
        .filter(c -> c.type().equals(type))
        .findFirst()
        .orElse(null);
  }

  private static boolean hasReason(String timeline, String type, String reason) {
    Condition condition = condition(timeline, type);
    return condition != null && condition.reason().equals(reason);
  }

  private static void password(String secret, String password) {
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

  private static List<String> addresses(String timeline) {
    EndpointSlice slice =
        admin
            .discovery()
            .v1()
            .endpointSlices()
            .inNamespace(SHOP)
            .withName("varve-" + timeline)
            .get();
    return slice == null || slice.getEndpoints() == null
        ? List.of()
        : slice.getEndpoints().stream().flatMap(e -> e.getAddresses().stream()).toList();
  }

  /** JOSDK applies the finalizer with a resource that is new but for its name. */
  @Test
  void aTenantKeepsWhatItsSpecSays() {
    TenantSpec said = new TenantSpec(2, 512, DeletionPolicy.Delete, null);
    Tenant tenant = new Tenant();
    tenant.setMetadata(new ObjectMetaBuilder().withName("striped").withNamespace(SHOP).build());
    tenant.setSpec(said);
    admin.resource(tenant).create();
    await(
        "a finalizer", () -> !admin.resource(tenant).get().getMetadata().getFinalizers().isEmpty());
    assertEquals(said, admin.resource(tenant).get().getSpec());
    admin.resource(tenant).delete();
    await("gone", () -> admin.resource(tenant).get() == null);
  }

  /**
   * One life: made, served, moved, in trouble, deleted. One test, since a server is slow to start.
   */
  @Test
  void timelineLivesAndMovesAndDies() throws Exception {
    tenant("acme");
    timeline("orders", "acme", "orders-password");
    await("a complaint about the pageservers", () -> hasReason("orders", "Ready", "NotPlaced"));

    pageserver("ps-0", FIRST);
    await("a complaint about the Secret", () -> hasReason("orders", "Ready", "SecretMissing"));
    password("orders-password", "one");
    await("served", () -> isReady("orders"));
    AttachTimelineRequest attached = first.attached.get("shop.acme/orders");
    assertNotNull(attached);
    assertEquals("db.shop.svc", attached.getPrimary().getHost());
    assertEquals("one", attached.getPrimary().getPassword());
    assertEquals("varve_shop_orders", attached.getPrimary().getSlot());
    String token =
        TokenSecret.value(
            admin.secrets().inNamespace(SHOP).withName("varve-acme-token").get(), "token");
    assertNotNull(token);
    assertEquals(
        ByteString.copyFrom(
            MessageDigest.getInstance("SHA-256").digest(token.getBytes(StandardCharsets.UTF_8))),
        attached.getTokenSha256());
    await("endpoints", () -> addresses("orders").equals(List.of(FIRST)));
    assertNotNull(admin.services().inNamespace(SHOP).withName("varve-orders").get());

    // Nothing happens: nothing is written.
    pageserver("ps-1", SECOND);
    await(
        "both are heard",
        () -> fleet.pods().stream().allMatch(p -> fleet.reports(p.uid()) != null));
    String before = timeline("orders").getMetadata().getResourceVersion();
    ready("ps-1", SECOND, true);
    TimeUnit.SECONDS.sleep(2);
    assertEquals(before, timeline("orders").getMetadata().getResourceVersion());

    // Deleted endpoints come back.
    admin.discovery().v1().endpointSlices().inNamespace(SHOP).withName("varve-orders").delete();
    await("endpoints again", () -> addresses("orders").equals(List.of(FIRST)));

    // The pod is not ready for longer than the grace: another one has it, with a higher generation.
    int generation = attached.getGeneration();
    ready("ps-0", FIRST, false);
    await("moved", () -> addresses("orders").equals(List.of(SECOND)));
    assertTrue(second.attached.get("shop.acme/orders").getGeneration() > generation);
    await("the old one is told", () -> !first.attached.containsKey("shop.acme/orders"));
    ready("ps-0", FIRST, true);

    // A restart of the pageserver's container: attached again.
    generation = second.attached.remove("shop.acme/orders").getGeneration();
    await("attached again", () -> second.attached.containsKey("shop.acme/orders"));
    assertTrue(second.attached.get("shop.acme/orders").getGeneration() > generation);
    await("served again", () -> isReady("orders"));

    // The pod keeps its name and its disk, but its address changes, as after a node's restart.
    generation = second.attached.get("shop.acme/orders").getGeneration();
    third.attached.putAll(second.attached);
    ready("ps-1", THIRD, true);
    await("endpoints follow the address", () -> addresses("orders").equals(List.of(THIRD)));
    assertEquals(generation, third.attached.get("shop.acme/orders").getGeneration());

    // Trouble of the source is told and heals.
    third.sourceTrouble = "db refuses the password of varve: change the Secret";
    await("trouble is told", () -> hasReason("orders", "SourceReachable", "SourceTrouble"));
    assertTrue(isReady("orders"));
    third.sourceTrouble = "";
    await("trouble is over", () -> hasReason("orders", "SourceReachable", "Receiving"));

    // The tenant waits for its timeline.
    admin.resources(Tenant.class).inNamespace(SHOP).withName("acme").delete();
    await(
        "the tenant says what it waits for",
        () ->
            admin
                .resources(Tenant.class)
                .inNamespace(SHOP)
                .withName("acme")
                .get()
                .getStatus()
                .conditions()
                .getFirst()
                .message()
                .contains("delete orders"));
    admin.resources(Timeline.class).inNamespace(SHOP).withName("orders").delete();
    await("the timeline is gone", () -> timeline("orders") == null);
    DetachTimelineRequest detach = third.detached.getLast();
    assertTrue(detach.getDropSlot() && detach.getDeleteObjects());
    assertNull(STORE.get("shop.acme/orders"));
    await(
        "the tenant is gone",
        () -> admin.resources(Tenant.class).inNamespace(SHOP).withName("acme").get() == null);
    assertNotEquals(
        0, admin.v1().events().inNamespace(SHOP).list().getItems().size(), "events are written");
  }
}
