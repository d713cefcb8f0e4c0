package dev.varve.operator.reconcile;

import static dev.varve.operator.reconcile.TestCluster.SHOP;
import static dev.varve.operator.reconcile.TestCluster.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.api.v1.AttachTimelineRequest;
import dev.varve.crd.ShardAttachment;
import dev.varve.crd.Tenant;
import dev.varve.crd.Timeline;
import dev.varve.operator.reconcile.TestCluster.RunningOperator;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/**
 * Many timelines ({@code -Dvarve.crowd=500}), several operators at once, operators that are killed:
 * the end is what one operator that is left alone comes to.
 */
final class OperatorCrowdIT {
  private static final List<String> ADDRESSES = List.of("10.9.2.1", "10.9.2.2", "10.9.2.3");
  private static final int CROWD = Integer.getInteger("varve.crowd", 100);
  private static final Duration CROWD_PATIENCE = Duration.ofMinutes(5);

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

  private static List<Timeline> timelines() {
    return cluster.admin.resources(Timeline.class).inNamespace(SHOP).list().getItems();
  }

  private static boolean areReady(int count) {
    List<Timeline> all = timelines();
    return all.size() == count && all.stream().allMatch(TestCluster::isReady);
  }

  /**
   * Every shard is held by the pod that the status names, with that generation, and by nobody else;
   * endpoints lead there.
   */
  private static boolean isConsistent() {
    Set<String> wanted = new HashSet<>();
    for (Timeline timeline : timelines()) {
      Tenant tenant = cluster.tenant(timeline.getSpec().tenant());
      if (!TestCluster.isReady(timeline) || tenant == null) {
        return false;
      }
      String name = timeline.getMetadata().getName();
      for (ShardAttachment shard : timeline.getStatus().shards()) {
        Integer shards = tenant.getSpec().shards();
        String id =
            "shop."
                + timeline.getSpec().tenant()
                + "/"
                + name
                + (shards == 1 ? "" : "/" + shard.shard() + "-of-" + shards + "-by-2048");
        String address = ADDRESSES.get(Integer.parseInt(shard.pod().substring(3)));
        wanted.add(address + " " + id + " " + shard.generation());
        String slice = "varve-" + name + (shard.shard() == 0 ? "" : "." + shard.shard());
        if (!cluster.addresses(slice).equals(List.of(address))) {
          return false;
        }
      }
    }
    Set<String> held = new HashSet<>();
    for (String address : ADDRESSES) {
      for (Map.Entry<String, AttachTimelineRequest> entry :
          cluster.at(address).attached.entrySet()) {
        held.add(address + " " + entry.getKey() + " " + entry.getValue().getGeneration());
      }
    }
    return held.equals(wanted);
  }

  /** Generations only rise: who took part in the store's history is never attached again. */
  @Test
  void operatorsAreKilledAndThereAreTwoAndTheEndIsTheSame() throws Exception {
    long seed = Long.getLong("varve.seed", System.nanoTime());
    Random random = new Random(seed);
    System.out.println("varve.seed=" + seed);
    for (int i = 0; i < ADDRESSES.size(); i++) {
      cluster.pageserver("kp-" + i, ADDRESSES.get(i));
      cluster.at(ADDRESSES.get(i)).loadNanos = TimeUnit.MILLISECONDS.toNanos(300);
    }
    cluster.tenant("killed", 2);
    cluster.tenant("whole", 1);
    List<String> present = new ArrayList<>();
    RunningOperator first = cluster.operator();
    RunningOperator second = cluster.operator();
    boolean secondPodReady = true;
    for (int round = 0; round < 8; round++) {
      String name = "t" + round;
      cluster.timeline(name, round % 2 == 0 ? "killed" : "whole", null);
      present.add(name);
      if (present.size() > 3 && random.nextBoolean()) {
        String gone = present.remove(random.nextInt(present.size()));
        Timeline timeline = cluster.timeline(gone);
        if (timeline != null) {
          cluster.delete(timeline);
        }
      }
      if (random.nextInt(3) == 0) {
        secondPodReady = !secondPodReady;
        cluster.ready("kp-1", ADDRESSES.get(1), secondPodReady);
      }
      TimeUnit.MILLISECONDS.sleep(random.nextInt(700));
      first.kill();
      first = second;
      second = cluster.operator();
    }
    cluster.ready("kp-1", ADDRESSES.get(1), true);
    await(
        "the deleted to be gone, seed " + seed,
        () ->
            timelines().stream()
                .map(t -> t.getMetadata().getName())
                .sorted()
                .toList()
                .equals(present.stream().sorted().toList()));
    await("a consistent end, seed " + seed, OperatorCrowdIT::isConsistent);

    // Two operators, and nothing to do: nothing is written.
    await("calm", OperatorCrowdIT::isCalm);
    first.close();
    second.close();
    for (Timeline timeline : timelines()) {
      for (ShardAttachment shard : timeline.getStatus().shards()) {
        assertTrue(shard.generation() >= 1);
      }
    }
    clear("kp-");
  }

  private static boolean isCalm() {
    Map<String, String> before = new TreeMap<>(cluster.versions());
    try {
      TimeUnit.SECONDS.sleep(3);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError(e);
    }
    return before.equals(new TreeMap<>(cluster.versions()));
  }

  private static void clear(String pods) {
    try (RunningOperator _ = cluster.operator()) {
      cluster.admin.resources(Timeline.class).inNamespace(SHOP).delete();
      await("an empty namespace", CROWD_PATIENCE, () -> timelines().isEmpty());
      assertTrue(cluster.store.isEmpty(), () -> "left in the store: " + cluster.store);
      cluster.admin.resources(Tenant.class).inNamespace(SHOP).delete();
      await(
          "no tenants",
          () ->
              cluster.admin.resources(Tenant.class).inNamespace(SHOP).list().getItems().isEmpty());
    }
    for (int i = 0; i < ADDRESSES.size(); i++) {
      cluster.remove(pods + i);
    }
  }

  /** All at once; then an operator starts anew and finds nothing to write. */
  @Test
  void manyAtOnceAreReadyAndThenNothingIsWritten() throws Exception {
    for (int i = 0; i < ADDRESSES.size(); i++) {
      cluster.pageserver("cp-" + i, ADDRESSES.get(i));
      cluster.at(ADDRESSES.get(i)).loadNanos = 0;
    }
    cluster.tenant("crowd", 1);
    long start = System.nanoTime();
    RunningOperator operator = cluster.operator();
    for (int i = 0; i < CROWD; i++) {
      cluster.timeline("c" + i, "crowd", null);
    }
    long created = System.nanoTime();
    await("all to be ready", CROWD_PATIENCE, () -> areReady(CROWD));
    long ready = System.nanoTime();
    System.out.printf(
        "%d timelines: created in %d ms, ready %d ms later%n",
        CROWD,
        TimeUnit.NANOSECONDS.toMillis(created - start),
        TimeUnit.NANOSECONDS.toMillis(ready - created));
    await("calm", OperatorCrowdIT::isCalm);
    operator.close();

    Map<String, String> before = new TreeMap<>(cluster.versions());
    try (RunningOperator again = cluster.operator()) {
      await(
          "the pageservers are heard",
          () ->
              again.fleet().pods().stream().allMatch(p -> again.fleet().reports(p.uid()) != null));
      // Every timeline is looked at when a pod changes.
      cluster.ready("cp-2", ADDRESSES.get(2), true);
      TimeUnit.SECONDS.sleep(5);
    }
    assertEquals(before, new TreeMap<>(cluster.versions()));
    clear("cp-");
  }
}
