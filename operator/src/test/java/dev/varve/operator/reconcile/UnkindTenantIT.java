package dev.varve.operator.reconcile;

import static dev.varve.operator.reconcile.TestCluster.SHOP;
import static dev.varve.operator.reconcile.TestCluster.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.api.v1.AttachTimelineRequest;
import dev.varve.api.v1.DetachTimelineRequest;
import dev.varve.crd.Condition;
import dev.varve.crd.RetainedTimeline;
import dev.varve.crd.Tenant;
import dev.varve.crd.TenantStatus;
import dev.varve.crd.Timeline;
import dev.varve.operator.reconcile.TestCluster.RunningOperator;
import dev.varve.operator.render.SourceSecret;
import io.fabric8.kubernetes.api.model.Event;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.NamespaceBuilder;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.client.http.BasicBuilder;
import io.fabric8.kubernetes.client.http.HttpRequest;
import io.fabric8.kubernetes.client.http.Interceptor;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/**
 * What a tenant writes, takes away and breaks: it is said, once, and keeps no namespace and no
 * slot.
 */
final class UnkindTenantIT {
  private static final String ADDRESS = "10.9.5.1";

  private static TestCluster cluster;
  private static RunningOperator operator;
  private static ControllerFailures failures;

  /** Paths that the operator asked for. */
  private static final Set<String> PATHS = ConcurrentHashMap.newKeySet();

  private static final class PathRecorder implements Interceptor {
    @Override
    public void before(BasicBuilder builder, HttpRequest request, RequestTags tags) {
      PATHS.add(request.uri().getRawPath());
    }
  }

  @BeforeAll
  static void start() throws IOException {
    cluster = new TestCluster();
    failures = new ControllerFailures();
    operator = startOperator();
    cluster.pageserver("ut-0", ADDRESS);
    cluster.tenant("acme", 1);
    cluster.password("password", "one");
  }

  private static RunningOperator startOperator() {
    return cluster.operator(
        http -> http.addOrReplaceInterceptor("paths", new PathRecorder()),
        Duration.ofMinutes(5),
        false);
  }

  /** The same names again are another timeline; the old one is had by its id alone. */
  @Test
  void whatIsMadeAgainUnderTheSameNamesIsAnotherTimeline() {
    String yaml = timeline("orders", "spec: {tenant: shop, deletionPolicy: Retain}");
    List<String> ids = new ArrayList<>();
    namespace("reborn");
    cluster.access("reborn");
    for (int life = 0; life < 2; life++) {
      apply("reborn", tenant("shop", "{}"));
      apply("reborn", yaml);
      await("served", () -> TestCluster.isReady(inReborn("orders")));
      ids.add(inReborn("orders").getStatus().timelineId());
      assertEquals(
          1,
          cluster.at(ADDRESS).attached.get("reborn.shop/orders").getGeneration(),
          "nobody has attached it before");
      if (life == 0) {
        cluster.admin.resource(inReborn("orders")).delete();
        await("the timeline is gone", () -> inReborn("orders") == null);
        cluster.admin.resources(Tenant.class).inNamespace("reborn").withName("shop").delete();
        await("the tenant is gone", () -> tenants("reborn").isEmpty());
      }
    }
    String old = ids.getFirst();
    assertNotEquals(old, ids.getLast());
    assertTrue(cluster.store.containsKey("reborn.shop/" + old), "it is retained");
    await("listed", () -> retained().equals(List.of(old)));

    // It is adopted once, under any name, by whoever was first.
    String adopting = "spec: {tenant: shop, deletionPolicy: Delete, adopt: \"%s\"}";
    apply("reborn", timeline("old", adopting.formatted(old)));
    await("adopted", () -> TestCluster.isReady(inReborn("old")));
    assertEquals(2, cluster.at(ADDRESS).attached.get("reborn.shop/old").getGeneration());
    await("not retained any more", () -> retained().isEmpty());
    apply("reborn", timeline("thief", adopting.formatted(old)));
    await("refused", () -> isOf(inReborn("thief"), "AdoptionRefused"));
    assertTrue(ready(inReborn("thief")).message().contains("Timeline old"));
    apply("reborn", timeline("dreamer", adopting.formatted("f".repeat(32))));
    await("refused", () -> isOf(inReborn("dreamer"), "AttachRefused"));
    for (String name : List.of("thief", "dreamer")) {
      cluster.admin.resource(inReborn(name)).delete();
      await("gone", () -> inReborn(name) == null);
    }
    assertTrue(cluster.store.containsKey("reborn.shop/" + old), "it was not theirs to delete");
    assertTrue(cluster.at(ADDRESS).attached.containsKey("reborn.shop/old"));
    cluster.admin.resource(inReborn("old")).delete();
    await("gone", () -> inReborn("old") == null);
    assertFalse(cluster.store.containsKey("reborn.shop/" + old), "adopted and deleted: purged");
    cluster.admin.resource(inReborn("orders")).delete();
    await("gone", () -> inReborn("orders") == null);
  }

  /** What a pageserver that was away still has under the name is not read, and goes. */
  @Test
  void aNamesakeThatIsStillAttachedIsDetached() {
    String old = "00000000000000000000000000000001";
    cluster
        .at(ADDRESS)
        .attached
        .put(
            "shop.acme/namesake",
            AttachTimelineRequest.newBuilder()
                .setTenant("shop.acme")
                .setTimeline("namesake")
                .setTimelineId(old)
                .setGeneration(9)
                .build());
    await(
        "it is heard of",
        () ->
            operator.fleet().pods().stream()
                .anyMatch(pod ->
                    operator.fleet().reports(pod.uid()).containsKey("shop.acme/namesake@" + old)));
    cluster.timeline("namesake", "acme", null);
    await("served", () -> cluster.isReady("namesake"));
    AttachTimelineRequest attached = cluster.at(ADDRESS).attached.get("shop.acme/namesake");
    assertEquals(cluster.timeline("namesake").getStatus().timelineId(), attached.getTimelineId());
    assertEquals(1, attached.getGeneration());
    cluster.delete(cluster.timeline("namesake"));
    await("gone", () -> cluster.timeline("namesake") == null);
  }

  private static Timeline inReborn(String name) {
    return cluster.admin.resources(Timeline.class).inNamespace("reborn").withName(name).get();
  }

  private static List<String> retained() {
    TenantStatus status = tenants("reborn").getFirst().getStatus();
    return status == null || status.retainedTimelines() == null
        ? List.of()
        : status.retainedTimelines().stream().map(RetainedTimeline::id).toList();
  }

  @AfterAll
  static void stop() {
    if (failures != null) {
      failures.close();
    }
    if (operator != null) {
      operator.close();
    }
    if (cluster != null) {
      cluster.close();
    }
  }

  private static Condition ready(HasMetadata resource) {
    List<Condition> conditions = List.of();
    if (resource instanceof Timeline timeline && timeline.getStatus() != null) {
      conditions = timeline.getStatus().conditions();
    } else if (resource instanceof Tenant tenant && tenant.getStatus() != null) {
      conditions = tenant.getStatus().conditions();
    }
    return conditions == null
        ? null
        : conditions.stream().filter(c -> c.type().equals("Ready")).findFirst().orElse(null);
  }

  private static boolean isOf(HasMetadata resource, String reason) {
    Condition ready = ready(resource);
    return ready != null && ready.reason().equals(reason);
  }

  private static List<Timeline> timelines(String namespace) {
    return cluster.admin.resources(Timeline.class).inNamespace(namespace).list().getItems();
  }

  private static List<Tenant> tenants(String namespace) {
    return cluster.admin.resources(Tenant.class).inNamespace(namespace).list().getItems();
  }

  private static List<Event> events(String namespace, String about) {
    return cluster.admin.v1().events().inNamespace(namespace).list().getItems().stream()
        .filter(event -> event.getInvolvedObject().getName().equals(about))
        .toList();
  }

  private static void namespace(String name) {
    cluster
        .admin
        .resource(new NamespaceBuilder().withNewMetadata().withName(name).endMetadata().build())
        .create();
  }

  private static void apply(String namespace, String yaml) {
    cluster.admin.resource(yaml).inNamespace(namespace).create();
  }

  private static String tenant(String name, String spec) {
    return "apiVersion: varve.dev/v1alpha1\nkind: Tenant\nmetadata: {name: %s}\nspec: %s\n"
        .formatted(name, spec);
  }

  private static String timeline(String name, String spec) {
    return "apiVersion: varve.dev/v1alpha1\nkind: Timeline\nmetadata: {name: %s}\n%s\n"
        .formatted(name, spec);
  }

  private static String sourced(String tenant, String primary) {
    return "spec: {tenant: %s, deletionPolicy: Delete, source: {primary: %s}}"
        .formatted(tenant, primary);
  }

  private static Map<String, String> nonsense() {
    String secret = "{host: db, user: varve, passwordSecret: {name: '%s', key: '%s'}}";
    return Map.ofEntries(
        Map.entry("bad-name", sourced("acme", secret.formatted("Bad Name!", "password"))),
        Map.entry(
            "bad-path",
            sourced("acme", secret.formatted("../../varve/secrets/varve-management", "token"))),
        Map.entry("bad-key", sourced("acme", secret.formatted("password", "../token"))),
        Map.entry("no-name", sourced("acme", "{host: db, user: varve, passwordSecret: {key: a}}")),
        Map.entry(
            "url", sourced("acme", "{host: 'postgres://varve:hunter2@db/postgres', user: varve}")),
        Map.entry("host-port", sourced("acme", "{host: 'db:5432', user: varve}")),
        Map.entry("blank", sourced("acme", "{host: '  ', user: varve}")),
        Map.entry("no-host", sourced("acme", "{user: varve}")),
        Map.entry("no-user", sourced("acme", "{host: db}")),
        Map.entry("port", sourced("acme", "{host: db, port: 123456, user: varve}")),
        Map.entry("slot", sourced("acme", "{host: db, user: varve, slot: \"x' or 1=1\"}")),
        Map.entry("text-port", sourced("acme", "{host: db, port: five, user: varve}")),
        Map.entry("ssl", sourced("acme", "{host: db, user: varve, sslMode: allow}")),
        Map.entry("policy", "spec: {tenant: acme, deletionPolicy: Purge}"),
        Map.entry("no-primary", "spec: {tenant: acme, source: {}}"),
        Map.entry("other-tenant", "spec: {tenant: other/acme}"),
        Map.entry("dotted-tenant", "spec: {tenant: other.acme}"),
        Map.entry("no-tenant", "spec: {deletionPolicy: Delete}"),
        Map.entry("no-spec", ""),
        Map.entry("dotted.name", "spec: {tenant: acme}"),
        Map.entry("l" + "o".repeat(70) + "ng", "spec: {tenant: acme}"));
  }

  /** As they were stored before there were rules. */
  @Test
  void whatALaxerDefinitionLetInHasAConditionAndCanBeDeleted() {
    namespace("lax");
    cluster.access("lax");
    Map<String, String> nonsense = nonsense();
    Map<String, String> tenants =
        Map.of("none", "{shards: 0}", "many", "{shards: 100000000}", "dotted.tenant", "{}");
    try (LaxDefinitions _ = new LaxDefinitions(cluster.admin)) {
      await(
          "definitions that take anything",
          () -> {
            try {
              apply("lax", timeline("probe", ""));
              return true;
            } catch (RuntimeException e) {
              return false;
            }
          });
      apply("lax", tenant("acme", "{}"));
      nonsense.forEach((name, spec) -> apply("lax", timeline(name, spec)));
      tenants.forEach((name, spec) -> apply("lax", tenant(name, spec)));
      await(
          "every timeline to be told what is wrong",
          () -> timelines("lax").stream().allMatch(t -> isOf(t, "InvalidSpec")));
      await(
          "every tenant to be told what is wrong",
          () ->
              tenants("lax").stream()
                  .allMatch(t ->
                      isOf(
                          t,
                          tenants.containsKey(t.getMetadata().getName())
                              ? "InvalidSpec"
                              : "Placed")));
    }
    assertEquals(nonsense.size() + 1, timelines("lax").size());
    for (Timeline timeline : timelines("lax")) {
      String message = ready(timeline).message();
      assertFalse(message.contains("hunter2"), message);
      assertTrue(message.contains(": "), "a remedy: " + message);
    }
    assertTrue(cluster.at(ADDRESS).attached.keySet().stream().noneMatch(id -> id.contains("lax")));

    // An operator that finds them when it starts, and the rules are in force again.
    operator.close();
    operator = startOperator();
    apply("lax", timeline("good", "spec: {tenant: acme}"));
    await(
        "a timeline beside them to be served",
        () ->
            TestCluster.isReady(
                cluster.admin.resources(Timeline.class).inNamespace("lax").withName("good").get()));
    cluster.admin.resources(Timeline.class).inNamespace("lax").delete();
    await("the timelines to be gone", () -> timelines("lax").isEmpty());
    cluster.admin.resources(Tenant.class).inNamespace("lax").delete();
    await("the tenants to be gone", () -> tenants("lax").isEmpty());
    assertEquals(
        Set.of(),
        PATHS.stream()
            .filter(path -> path.contains("..") || path.contains("Bad") || path.contains("%"))
            .collect(Collectors.toSet()));
    assertEquals(List.of(), failures.all());
  }

  private static Timeline served(String namespace) {
    namespace(namespace);
    cluster.access(namespace);
    apply(namespace, tenant("acme", "{}"));
    apply(
        namespace,
        "apiVersion: v1\nkind: Secret\nmetadata: {name: db}\nstringData: {password: hunter2}\n");
    apply(
        namespace,
        timeline(
            "main",
            sourced("acme", "{host: db.example.org, user: varve, passwordSecret: {name: db}}")));
    var main = cluster.admin.resources(Timeline.class).inNamespace(namespace).withName("main");
    await("served", () -> TestCluster.isReady(main.get()));
    return main.get();
  }

  /** As Kubernetes may do it: what the operator reads goes first. */
  private static void deleteNamespace(String namespace) {
    cluster.admin.namespaces().withName(namespace).delete();
    cluster.admin.secrets().inNamespace(namespace).delete();
    cluster.admin.rbac().roleBindings().inNamespace(namespace).delete();
    cluster.admin.resources(Tenant.class).inNamespace(namespace).delete();
    cluster.admin.resources(Timeline.class).inNamespace(namespace).delete();
    await(
        "an empty namespace", () -> timelines(namespace).isEmpty() && tenants(namespace).isEmpty());
  }

  @Test
  void aNamespacesDeletionDropsItsSlots() {
    Timeline main = served("doomed");
    String slot = main.getStatus().slot();
    assertTrue(slot.matches("varve_doomed_main_[0-9a-f]{10}"), slot);
    deleteNamespace("doomed");
    DetachTimelineRequest detach =
        cluster.at(ADDRESS).detached.stream()
            .filter(d -> d.getTenant().equals("doomed.acme"))
            .toList()
            .getLast();
    assertTrue(detach.getDropSlot());
    assertEquals("hunter2", detach.getPrimary().getPassword());
    assertEquals(slot, detach.getPrimary().getSlot());
    assertEquals("db.example.org", detach.getPrimary().getHost());
    assertNull(copy(main), "nothing is left of it");
    assertEquals(List.of(), failures.all());
  }

  private static HasMetadata copy(Timeline timeline) {
    return cluster.admin.secrets().inNamespace("varve").withName(SourceSecret.name(timeline)).get();
  }

  @Test
  void aSlotThatIsLeftIsToldOfByHostAndName() {
    Timeline main = served("stuck");
    cluster.at(ADDRESS).dropFailure = "db.example.org:5432 cannot be reached";
    String slot = main.getStatus().slot();
    // What .ci/run reads.
    System.out.println("expected log: db.example.org:5432 was given up");
    try {
      deleteNamespace("stuck");
    } finally {
      cluster.at(ADDRESS).dropFailure = "";
    }
    List<Event> events = events("varve", SourceSecret.name(main));
    assertEquals(1, events.size());
    String message = events.getFirst().getMessage();
    assertTrue(message.contains("db.example.org:5432"), message);
    assertTrue(message.contains("pg_drop_replication_slot('" + slot + "')"), message);
    assertEquals(List.of(), failures.all());
  }

  @Test
  void copiesOfTimelinesThatWentByHandAreRemoved() {
    Timeline main = served("forced");
    assertNotNull(copy(main));
    operator.close();
    cluster.admin.resource(main).delete();
    Timeline _ =
        cluster
            .admin
            .resources(Timeline.class)
            .inNamespace("forced")
            .withName("main")
            .edit(t -> {
              t.getMetadata().setFinalizers(List.of());
              return t;
            });
    operator = startOperator();
    await("the copy to be gone", () -> copy(main) == null);
    deleteNamespace("forced");
  }

  @Test
  void aNamespaceLetsTheOperatorIn() {
    namespace("closed");
    apply("closed", tenant("acme", "{}"));
    apply("closed", timeline("main", "spec: {tenant: acme}"));
    await("a complaint", () -> isOf(tenants("closed").getFirst(), "SecretUnreadable"));
    await("a complaint", () -> isOf(timelines("closed").getFirst(), "SecretUnreadable"));
    String message = ready(tenants("closed").getFirst()).message();
    assertTrue(message.contains("varve-operator-secrets"), message);
    cluster.access("closed");
    await("served", () -> TestCluster.isReady(timelines("closed").getFirst()));
    cluster.admin.rbac().roleBindings().inNamespace("closed").delete();
    deleteNamespace("closed");
    assertEquals(List.of(), failures.all());
  }

  @Test
  void whatOthersMadeUnderANameIsLeftAlone() {
    apply(
        SHOP,
        """
        apiVersion: v1
        kind: Service
        metadata: {name: varve-taken}
        spec: {selector: {app: web}, ports: [{port: 80}]}
        """);
    cluster.timeline("taken", "acme", null);
    await("a complaint", () -> cluster.hasReason("taken", "Ready", "NameTaken"));
    Service service = cluster.admin.services().inNamespace(SHOP).withName("varve-taken").get();
    assertEquals(80, service.getSpec().getPorts().getFirst().getPort());
    assertEquals(Map.of("app", "web"), service.getSpec().getSelector());
    cluster.admin.resource(service).delete();
    await("served", () -> cluster.isReady("taken"));
    cluster.delete(cluster.timeline("taken"));

    apply(
        SHOP,
        "apiVersion: v1\nkind: Secret\nmetadata: {name: varve-taken-token}\nstringData: {a: b}\n");
    cluster.tenant("taken", 1);
    await("a complaint", () -> isOf(cluster.tenant("taken"), "NameTaken"));
    cluster.admin.secrets().inNamespace(SHOP).withName("varve-taken-token").delete();
    await("placed", () -> isOf(cluster.tenant("taken"), "Placed"));
    cluster.admin.resource(cluster.tenant("taken")).delete();
    await("gone", () -> cluster.tenant("taken") == null && cluster.timeline("taken") == null);
  }

  /** The source's failure is one condition and one event, and its deletion waits for nothing. */
  @Test
  void aCopyThatFailsAgainAndAgainIsToldOfOnce() {
    FakePageserver pageserver = cluster.at(ADDRESS);
    pageserver.copyFailure = "db.shop.svc:5432 refuses the password of varve";
    pageserver.dropFailure = pageserver.copyFailure;
    try {
      cluster.timeline("broken", "acme", "password");
      await("failure", () -> cluster.hasReason("broken", "Ready", "SourceFailing"));
      await("failure", () -> cluster.hasReason("broken", "SourceReachable", "SourceFailing"));
      Timeline broken = cluster.timeline("broken");
      int lists = pageserver.lists();
      await("some attempts", () -> pageserver.lists() >= lists + 12);
      assertEquals(
          broken.getMetadata().getResourceVersion(),
          cluster.timeline("broken").getMetadata().getResourceVersion());
      assertEquals(1, told("broken", "SourceFailing").size());

      // The same again, after a while in which it was well.
      pageserver.copyFailure = "";
      await("served", () -> cluster.isReady("broken"));
      pageserver.sourceFailure = "db.shop.svc:5432 cannot be reached";
      await("failure", () -> cluster.hasReason("broken", "SourceReachable", "SourceFailing"));
      pageserver.sourceFailure = "";
      await("well", () -> cluster.hasReason("broken", "SourceReachable", "Receiving"));
      await("one event", () -> told("broken", "SourceFailing").getFirst().getCount() > 1);
      assertEquals(1, told("broken", "SourceFailing").size());
      assertTrue(
          told("broken", "SourceFailing").getFirst().getMessage().contains("cannot be reached"));
      assertEquals(1, told("broken", "Ready").size());
      pageserver.dropFailure = "";
      cluster.delete(cluster.timeline("broken"));
      await("gone", () -> cluster.timeline("broken") == null);

      pageserver.copyFailure = "db.shop.svc:5432 refuses the password of varve";
      pageserver.dropFailure = pageserver.copyFailure;
      cluster.timeline("never", "acme", "password");
      await("failure", () -> cluster.hasReason("never", "Ready", "SourceFailing"));
      cluster.delete(cluster.timeline("never"));
      await("gone", () -> cluster.timeline("never") == null);
      Event left = told("never", "SlotLeft").getFirst();
      assertEquals("Normal", left.getType());
      assertTrue(left.getMessage().contains("nothing was ever received from db.shop.svc:5432"));
      assertEquals(List.of(), told("never", "DeletionWaits"));
    } finally {
      pageserver.copyFailure = "";
      pageserver.sourceFailure = "";
      pageserver.dropFailure = "";
    }
  }

  private static List<Event> told(String timeline, String reason) {
    return events(SHOP, timeline).stream().filter(e -> e.getReason().equals(reason)).toList();
  }

  @Test
  void aFullPrimaryIsToldOfOnceWithWhatItNeeds() {
    FakePageserver pageserver = cluster.at(ADDRESS);
    int many = 12;
    pageserver.slots = 2;
    List<String> names = new ArrayList<>();
    try {
      for (int i = 0; i < many; i++) {
        names.add("full-" + i);
        cluster.timeline("full-" + i, "acme", "password");
      }
      String wanted =
          "db.shop.svc:5432 needs 12 slots and WAL senders for its Timelines, has 2: set"
              + " max_replication_slots and max_wal_senders to 12 or more";
      await(
          "the same message on all that are affected",
          () ->
              names.stream()
                      .map(cluster::timeline)
                      .filter(t -> isOf(t, "SourceFull") && ready(t).message().startsWith(wanted))
                      .count()
                  >= many - 2);
      for (String name : names) {
        assertTrue(told(name, "SourceFull").size() <= 1, name);
        assertEquals(List.of(), told(name, "SourceFailing"));
      }
      pageserver.slots = Integer.MAX_VALUE;
      await("all served", () -> names.stream().allMatch(cluster::isReady));
    } finally {
      pageserver.slots = Integer.MAX_VALUE;
      names.forEach(name -> cluster.delete(cluster.timeline(name)));
      await("gone", () -> names.stream().allMatch(name -> cluster.timeline(name) == null));
    }
  }
}
