package dev.varve.operator.reconcile;

import static dev.varve.operator.reconcile.TestCluster.SHOP;
import static dev.varve.operator.reconcile.TestCluster.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.ByteString;
import dev.varve.api.v1.AttachTimelineRequest;
import dev.varve.api.v1.DetachTimelineRequest;
import dev.varve.crd.DeletionPolicy;
import dev.varve.crd.ShardAttachment;
import dev.varve.crd.Tenant;
import dev.varve.crd.TenantSpec;
import dev.varve.crd.Timeline;
import dev.varve.crd.TimelineSpec;
import dev.varve.operator.reconcile.TestCluster.RunningOperator;
import dev.varve.operator.render.TokenSecret;
import io.fabric8.kubernetes.api.model.NamespaceBuilder;
import io.fabric8.kubernetes.api.model.ObjectMetaBuilder;
import io.fabric8.kubernetes.api.model.Secret;
import io.fabric8.kubernetes.client.dsl.Resource;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** The controllers under the shipped Role, against a real API server: the lives of timelines. */
@ExtendWith(SharedCluster.Resolver.class)
final class OperatorIT {
  private static final String FIRST = "10.9.0.1";
  private static final String SECOND = "10.9.0.2";
  private static final String THIRD = "10.9.0.3";

  private static TestCluster cluster;
  private static RunningOperator operator;

  @BeforeAll
  static void find(SharedCluster shared) {
    cluster = shared.cluster();
    operator = shared.operator();
  }

  /** JOSDK applies the finalizer with a resource that is new but for its name. */
  @Test
  void aTenantKeepsWhatItsSpecSays() {
    TenantSpec said = new TenantSpec(2, 512, DeletionPolicy.Delete, null);
    Tenant tenant = new Tenant();
    tenant.setMetadata(new ObjectMetaBuilder().withName("striped").withNamespace(SHOP).build());
    tenant.setSpec(said);
    cluster.admin.resource(tenant).create();
    await("a finalizer", () -> !cluster.tenant("striped").getMetadata().getFinalizers().isEmpty());
    assertEquals(said, cluster.tenant("striped").getSpec());
    cluster.admin.resource(tenant).delete();
    await("gone", () -> cluster.tenant("striped") == null);
  }

  /** One life: made, served, moved, failing, deleted. One test, since a server is slow to start. */
  @Test
  void timelineLivesAndMovesAndDies() throws Exception {
    FakePageserver first = cluster.at(FIRST);
    FakePageserver second = cluster.at(SECOND);
    FakePageserver third = cluster.at(THIRD);
    cluster.tenant("acme", 1);
    cluster.timeline("orders", "acme", "orders-password");
    await(
        "a complaint about the pageservers",
        () -> cluster.hasReason("orders", "Ready", "NotPlaced"));

    cluster.pageserver("ps-0", FIRST);
    await(
        "a complaint about the Secret",
        () -> cluster.hasReason("orders", "Ready", "SecretMissing"));
    cluster.password("orders-password", "one");
    await("served", () -> cluster.isReady("orders"));
    AttachTimelineRequest attached = first.attached.get("shop.acme/orders");
    assertNotNull(attached);
    assertEquals("db.shop.svc", attached.getPrimary().getHost());
    assertEquals("one", attached.getPrimary().getPassword());
    assertEquals(cluster.timeline("orders").getStatus().slot(), attached.getPrimary().getSlot());
    assertTrue(attached.getPrimary().getSlot().matches("varve_shop_orders_[0-9a-f]{10}"));
    String token =
        TokenSecret.value(
            cluster.admin.secrets().inNamespace(SHOP).withName("varve-acme-token").get(), "token");
    assertNotNull(token);
    assertEquals(
        ByteString.copyFrom(
            MessageDigest.getInstance("SHA-256").digest(token.getBytes(StandardCharsets.UTF_8))),
        attached.getTokenSha256());
    await("endpoints", () -> cluster.addresses("varve-orders").equals(List.of(FIRST)));
    assertNotNull(cluster.admin.services().inNamespace(SHOP).withName("varve-orders").get());

    // Nothing happens: nothing is written.
    cluster.pageserver("ps-1", SECOND);
    await(
        "both are heard",
        () ->
            operator.fleet().pods().stream()
                .allMatch(p -> operator.fleet().reports(p.uid()) != null));
    String before = cluster.timeline("orders").getMetadata().getResourceVersion();
    cluster.ready("ps-1", SECOND, true);
    TimeUnit.SECONDS.sleep(2);
    assertEquals(before, cluster.timeline("orders").getMetadata().getResourceVersion());

    // Deleted endpoints come back.
    cluster
        .admin
        .discovery()
        .v1()
        .endpointSlices()
        .inNamespace(SHOP)
        .withName("varve-orders")
        .delete();
    await("endpoints again", () -> cluster.addresses("varve-orders").equals(List.of(FIRST)));

    // The pod is not ready for longer than the grace, by a clock that is ahead: another one has it,
    // with a higher generation.
    int generation = attached.getGeneration();
    cluster.ready("ps-0", FIRST, false, Instant.now().plus(Duration.ofHours(1)));
    await("moved", () -> cluster.addresses("varve-orders").equals(List.of(SECOND)));
    assertTrue(second.attached.get("shop.acme/orders").getGeneration() > generation);
    await("the old one is told", () -> !first.attached.containsKey("shop.acme/orders"));
    cluster.ready("ps-0", FIRST, true);

    // It is ready for Kubernetes, but has not answered for the grace: the same.
    second.silent = true;
    await("moved back", () -> cluster.podsOf("acme").equals(Set.of("ps-0")));
    await("served there", () -> cluster.addresses("varve-orders").equals(List.of(FIRST)));
    first.silent = true;
    second.silent = false;
    await("moved again", () -> cluster.podsOf("acme").equals(Set.of("ps-1")));
    first.silent = false;
    await("the first is told", () -> !first.attached.containsKey("shop.acme/orders"));

    // A restart of the pageserver's container: attached again.
    generation = second.attached.remove("shop.acme/orders").getGeneration();
    await("attached again", () -> second.attached.containsKey("shop.acme/orders"));
    assertTrue(second.attached.get("shop.acme/orders").getGeneration() > generation);
    await("served again", () -> cluster.isReady("orders"));

    // The pod keeps its name and its disk, but its address changes, as after a node's restart.
    generation = second.attached.get("shop.acme/orders").getGeneration();
    third.attached.putAll(second.attached);
    cluster.ready("ps-1", THIRD, true);
    await(
        "endpoints follow the address",
        () -> cluster.addresses("varve-orders").equals(List.of(THIRD)));
    assertEquals(generation, third.attached.get("shop.acme/orders").getGeneration());

    // A failure of the source shows and heals.
    third.sourceFailure = "db refuses the password of varve: change the Secret";
    await("failure is told", () -> cluster.hasReason("orders", "SourceReachable", "SourceFailing"));
    assertTrue(cluster.isReady("orders"));
    third.sourceFailure = "";
    await("failure is over", () -> cluster.hasReason("orders", "SourceReachable", "Receiving"));

    // The tenant waits for its timeline.
    cluster.admin.resources(Tenant.class).inNamespace(SHOP).withName("acme").delete();
    await(
        "the tenant says what it waits for",
        () ->
            cluster
                .admin
                .resources(Tenant.class)
                .inNamespace(SHOP)
                .withName("acme")
                .get()
                .getStatus()
                .conditions()
                .getFirst()
                .message()
                .contains("delete orders"));
    cluster.admin.resources(Timeline.class).inNamespace(SHOP).withName("orders").delete();
    await("the timeline is gone", () -> cluster.timeline("orders") == null);
    DetachTimelineRequest detach = third.detached.getLast();
    assertTrue(detach.getDropSlot() && detach.getDeleteObjects());
    assertFalse(cluster.isStored("shop.acme"));
    await(
        "the tenant is gone",
        () ->
            cluster.admin.resources(Tenant.class).inNamespace(SHOP).withName("acme").get() == null);
    assertNotEquals(
        0,
        cluster.admin.v1().events().inNamespace(SHOP).list().getItems().size(),
        "events are written");
    cluster.remove("ps-0");
    cluster.remove("ps-1");
  }

  private static ShardAttachment attachment(String timeline, int shard) {
    return cluster.timeline(timeline).getStatus().shards().get(shard);
  }

  /** Two shards: on two pods, moved from one that leaves, spread again, deleted. */
  @Test
  void shardsMoveOneByOneAndAreServedAllTheWhile() throws Exception {
    String leaving = "10.9.1.1";
    String staying = "10.9.1.2";
    String coming = "10.9.1.3";
    cluster.pageserver("sh-0", leaving);
    cluster.pageserver("sh-1", staying);
    cluster.tenant("wide", 2);
    cluster.timeline("sharded", "wide", null);
    await("served", () -> cluster.isReady("sharded"));
    assertEquals(Set.of("sh-0", "sh-1"), cluster.podsOf("wide"));
    assertEquals(
        "varve-sharded.shop.svc:6400-6401", cluster.timeline("sharded").getStatus().address());
    await("endpoints", () -> cluster.addresses("varve-sharded").equals(List.of(leaving)));
    await("endpoints", () -> cluster.addresses("varve-sharded.1").equals(List.of(staying)));
    String first = "shop.wide/sharded/0-of-2-by-2048";
    String second = "shop.wide/sharded/1-of-2-by-2048";
    assertEquals(Set.of(first), cluster.at(leaving).attached.keySet());
    assertEquals(Set.of(second), cluster.at(staying).attached.keySet());
    assertEquals(
        List.of("shard-0 6400", "shard-1 6401"),
        cluster
            .admin
            .services()
            .inNamespace(SHOP)
            .withName("varve-sharded")
            .get()
            .getSpec()
            .getPorts()
            .stream()
            .map(p -> p.getName() + " " + p.getPort())
            .toList());

    // The pod of shard 0 is to go, and cannot publish at first; the other one takes long to load.
    cluster.at(leaving).publishFailure = "the object store does not answer";
    cluster.at(staying).loadNanos = TimeUnit.SECONDS.toNanos(2);
    cluster.leave("sh-0");
    await("the other is to have it", () -> cluster.podsOf("wide").equals(Set.of("sh-1")));
    TimeUnit.SECONDS.sleep(1);
    assertEquals(Set.of(second), cluster.at(staying).attached.keySet(), "not handed over yet");
    cluster.at(leaving).publishFailure = "";
    await("handed over", () -> cluster.at(leaving).handedOver.contains(first));
    await("attached", () -> cluster.at(staying).attached.containsKey(first));
    assertTrue(cluster.isReady("sharded"));
    assertEquals(List.of(leaving), cluster.addresses("varve-sharded"), "until it is loaded");
    await("switched", () -> cluster.addresses("varve-sharded").equals(List.of(staying)));
    assertTrue(cluster.at(leaving).attached.containsKey(first), "readers are there still");
    await("detached", () -> cluster.at(leaving).attached.isEmpty());
    Instant since = Instant.parse(attachment("sharded", 0).servingSince());
    assertTrue(
        Duration.between(since, Instant.now()).compareTo(Duration.ofSeconds(4)) >= 0,
        "detached four seconds after the switch");
    assertEquals(2, attachment("sharded", 0).generation());
    assertEquals(1, attachment("sharded", 1).generation());
    cluster.remove("sh-0");

    // A pod is added: one of the two goes there.
    cluster.pageserver("sh-2", coming);
    await("spread again", () -> cluster.podsOf("wide").equals(Set.of("sh-1", "sh-2")));
    await("led there", () -> cluster.addresses("varve-sharded.1").equals(List.of(coming)));
    await("let go", () -> !cluster.at(staying).attached.containsKey(second));
    assertTrue(cluster.isReady("sharded"));

    cluster.delete(cluster.timeline("sharded"));
    await("gone", () -> cluster.timeline("sharded") == null);
    assertFalse(cluster.isStored("shop.wide"));
    assertTrue(cluster.at(staying).attached.isEmpty() && cluster.at(coming).attached.isEmpty());
    cluster.admin.resources(Tenant.class).inNamespace(SHOP).withName("wide").delete();
    await("the tenant is gone", () -> cluster.tenant("wide") == null);
    cluster.remove("sh-1");
    cluster.remove("sh-2");
  }

  /** Retained in two shards, and the tenant has one: nothing is attached, nothing removed. */
  @Test
  void dataInOtherShardsIsNeitherAttachedNorRemoved() {
    String address = "10.9.4.1";
    String id = "0123456789abcdef0123456789abcdef";
    String half = "shop.narrow/" + id + "/0-of-2-by-2048";
    cluster.store.put(half, 3);
    cluster.store.put("shop.narrow/" + id + "/1-of-2-by-2048", 3);
    cluster.pageserver("ly-0", address);
    cluster.tenant("narrow", 1);
    cluster.adopt("stored", "narrow", id);
    await("a refusal", () -> cluster.hasReason("stored", "Ready", "LayoutDiffers"));
    assertTrue(cluster.at(address).attached.isEmpty());
    cluster.delete(cluster.timeline("stored"));
    await("gone", () -> cluster.timeline("stored") == null);
    assertEquals(3, cluster.store.get(half), "what it never served is not its to delete");
    cluster.admin.resource(cluster.tenant("narrow")).delete();
    await("the tenant is gone", () -> cluster.tenant("narrow") == null);

    cluster.tenant("narrow", 2);
    cluster.adopt("stored", "narrow", id);
    await("served", () -> cluster.isReady("stored"));
    assertEquals(
        4, cluster.at(address).attached.get("shop.narrow/stored/0-of-2-by-2048").getGeneration());
    cluster.delete(cluster.timeline("stored"));
    await("gone", () -> cluster.timeline("stored") == null);
    assertFalse(cluster.isStored("shop.narrow"));
    cluster.admin.resource(cluster.tenant("narrow")).delete();
    await("the tenant is gone", () -> cluster.tenant("narrow") == null);
    cluster.remove("ly-0");
  }

  private static void retain(String timeline) {
    cluster
        .admin
        .resource(cluster.timeline(timeline))
        .edit(t -> {
          t.setSpec(
              new TimelineSpec(t.getSpec().tenant(), t.getSpec().source(), DeletionPolicy.Retain));
          return t;
        });
  }

  /** Its Secret cannot be made again, which is no error then. */
  @Test
  void aNamespaceThatIsBeingDeletedIsLeftAlone() {
    Tenant tenant = new Tenant();
    tenant.setMetadata(new ObjectMetaBuilder().withName("late").withNamespace("going").build());
    tenant.setSpec(new TenantSpec(1, 2048, DeletionPolicy.Retain, null));
    cluster
        .admin
        .resource(new NamespaceBuilder().withNewMetadata().withName("going").endMetadata().build())
        .create();
    cluster.access("going");
    cluster.admin.resource(tenant).create();
    Resource<Secret> secret =
        cluster.admin.secrets().inNamespace("going").withName(TokenSecret.name("late"));
    await("a token", () -> secret.get() != null);
    cluster.admin.namespaces().withName("going").delete();
    secret.delete();
    try (ControllerFailures failures = new ControllerFailures()) {
      Resource<Tenant> late =
          cluster.admin.resources(Tenant.class).inNamespace("going").withName("late");
      late.edit(t -> {
        t.setSpec(new TenantSpec(1, 2048, DeletionPolicy.Delete, null));
        return t;
      });
      await(
          "the change to be seen",
          () ->
              late.get()
                  .getMetadata()
                  .getGeneration()
                  .equals(late.get().getStatus().observedGeneration()));
      late.delete();
      await("gone", () -> late.get() == null);
      assertNull(secret.get());
      assertEquals(List.of(), failures.all());
    }
  }

  /** What is retained is written to the object store before its slot goes. */
  @Test
  void aTimelineIsPublishedBeforeItIsRetained() {
    String address = "10.9.2.1";
    cluster.pageserver("kp-0", address);
    cluster.tenant("keeper", 1);
    cluster.password("kept-password", "one");
    cluster.timeline("kept", "keeper", "kept-password");
    await("served", () -> cluster.isReady("kept"));
    retain("kept");
    cluster.at(address).publishFailure = "the object store does not answer";
    cluster.delete(cluster.timeline("kept"));
    await("it waits", () -> cluster.hasReason("kept", "Ready", "Deleting"));
    assertTrue(cluster.at(address).attached.containsKey("shop.keeper/kept"));
    cluster.at(address).publishFailure = "";
    await("gone", () -> cluster.timeline("kept") == null);
    assertTrue(cluster.isStored("shop.keeper"));
    cluster.admin.resources(Tenant.class).inNamespace(SHOP).withName("keeper").delete();
    await("the tenant is gone", () -> cluster.tenant("keeper") == null);
    cluster.remove("kp-0");
  }

  /** A source of which nothing can be received is the one whose primary keeps more and more. */
  @Test
  void whatTheSlotKeepsIsShownThoughNothingIsReceived() {
    String address = "10.9.2.2";
    cluster.pageserver("rw-0", address);
    cluster.tenant("hoarder", 1);
    cluster.password("hoarder-password", "one");
    cluster.timeline("hoard", "hoarder", "hoarder-password");
    await("served", () -> cluster.isReady("hoard"));
    await(
        "what the slot keeps",
        () -> {
          long _ = cluster.at(address).retainedWalBytes.addAndGet(1 << 20);
          Long shown = cluster.timeline("hoard").getStatus().retainedWalBytes();
          return shown != null && shown > 0;
        });
    cluster.delete(cluster.timeline("hoard"));
    cluster.admin.resources(Tenant.class).inNamespace(SHOP).withName("hoarder").delete();
    await("the tenant is gone", () -> cluster.tenant("hoarder") == null);
    cluster.remove("rw-0");
  }
}
