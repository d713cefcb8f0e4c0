package dev.varve.e2e;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.api.parallel.Isolated;

/** Timelines that go, and what comes back from the bucket. */
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
@Isolated("it takes away what others need")
@EnabledIf(
    value = "dev.varve.e2e.Cluster#isThere",
    disabledReason = "KUBECONFIG names no cluster, and no container engine runs one")
final class DeletionIT {
  private static final Duration START = Duration.ofMinutes(2);

  private static final String NAMESPACE = "e2e-deletion";
  private static final String OBJECTS = NAMESPACE + ".acme*/timelines/";

  private static final Map<String, String> SLOTS = new HashMap<>();
  private static final Map<String, String> IDS = new HashMap<>();

  private static Shop shop;

  @BeforeAll
  static void attach() {
    shop = Shop.open(NAMESPACE);
    // What an earlier run retained is of another source.
    bucket("find /data -type d -path '*/" + NAMESPACE + ".*' -prune -exec rm -r {} +");
    shop.sources("main-db", "lost-db", "other-db");
    shop.tenant("acme", "shards: 2");
    shop.timeline("lost", "acme", "lost-db", "Delete");
    shop.timeline("brief", "acme", "main-db", "Delete");
    shop.timeline("kept", "acme", "main-db", "Retain");
    shop.timeline("rescued", "acme", "main-db", "Retain");
    for (String timeline : new String[] {"lost", "brief", "kept", "rescued"}) {
      shop.ready("timeline/" + timeline, START);
      SLOTS.put(timeline, shop.slot(timeline));
      IDS.put(timeline, shop.id(timeline));
    }
    // Its deletion takes the operator's whole patience, so that it begins here and is looked at in
    // the end.
    shop.delete("pod", "lost-db");
    shop.kubectl("delete", "timeline", "lost", "--wait=false");
  }

  @AfterAll
  static void detach() {
    shop.close();
  }

  /** How many objects of a timeline the bundled S3 server keeps. */
  private static int objects(String timeline) {
    return Integer.parseInt(
        bucket("find /data -type f -path '*" + OBJECTS + IDS.get(timeline) + "/*' | wc -l"));
  }

  /** Those of a timeline's two shards. */
  private static String slots(String timeline) {
    String slot = SLOTS.get(timeline);
    return slot + "_0 " + slot + "_1";
  }

  private static String bucket(String command) {
    return Kubectl.run(
        "-n", Shop.STORE, "exec", "deployment/varve-s3", "-c", "s3", "--", "bash", "-c", command);
  }

  @Test
  @Order(1)
  void deleteDropsTheSlotAndRemovesTheObjects() {
    shop.published("main-db");
    assertNotEquals(0, objects("brief"));
    shop.delete("timeline", "brief");
    assertEquals(0, objects("brief"));
    assertEquals(slots("kept") + " " + slots("rescued"), shop.slots("main-db"));
  }

  @Test
  @Order(2)
  void whatWasRetainedIsServedAgainWithoutItsSource() {
    shop.load("main-db", 50);
    shop.published("main-db");
    String expected = shop.hashes("main-db");
    shop.delete("timeline", "kept");
    assertEquals(slots("rescued"), shop.slots("main-db"));
    shop.load("main-db", 10);
    shop.awaitRetained("acme", IDS.get("kept"));
    // The same name again, of another cluster: what it serves is that one's.
    shop.load("other-db", 5);
    shop.timeline("kept", "acme", "other-db", "Delete");
    shop.ready("timeline/kept", START);
    assertNotEquals(IDS.get("kept"), shop.id("kept"));
    shop.published("other-db");
    shop.compute("again", "kept", "acme");
    shop.ready("pod/again", START);
    assertEquals(shop.hashes("other-db"), shop.hashes("again"));
    shop.delete("pod", "again");
    shop.delete("timeline", "kept");
    assertNotEquals(0, objects("kept"));
    // And on purpose, under any name: as of its deletion.
    shop.adopt("found", "acme", IDS.get("kept"));
    shop.ready("timeline/found", START);
    shop.compute("again", "found", "acme");
    shop.ready("pod/again", START);
    assertEquals(expected, shop.hashes("again"));
    shop.delete("pod", "again");
    shop.delete("timeline", "found");
    assertEquals(0, objects("kept"));
  }

  @Test
  @Order(3)
  void aSourceThatIsGoneDoesNotBlockADeletionForEver() {
    shop.kubectl("wait", "--for=delete", "timeline/lost", "--timeout=120s");
    assertEquals(0, objects("lost"));
    String events = shop.events("lost");
    assertTrue(
        events.contains("SlotLeft")
            && events.contains("pg_drop_replication_slot(slot_name)")
            && events.contains("lost-db." + NAMESPACE + ".svc:5432")
            && events.contains("'^" + SLOTS.get("lost") + "_[0-9]+$'"),
        events);
  }

  @Test
  @Order(4)
  void everythingButTheBucketIsLostAndComesBack() {
    shop.published("main-db");
    Kubectl.run("-n", Shop.SYSTEM, "scale", "deployment/varve-operator", "--replicas=0");
    Kubectl.run("-n", Shop.SYSTEM, "scale", "statefulset/varve-pageserver", "--replicas=0");
    Kubectl.run(
        "-n",
        Shop.SYSTEM,
        "wait",
        "--for=delete",
        "pod",
        "-l",
        "app.kubernetes.io/component in (operator,pageserver)",
        "--timeout=120s");
    for (String resource : new String[] {"timeline/rescued", "tenant/acme"}) {
      shop.kubectl("patch", resource, "--type=merge", "-p", "{\"metadata\":{\"finalizers\":null}}");
      Kubectl.attempt("-n", shop.namespace(), "delete", resource, "--ignore-not-found");
    }
    shop.load("main-db", 100);
    String expected = shop.hashes("main-db");
    String lsn = shop.lsn("main-db");
    Kubectl.run("-n", Shop.SYSTEM, "scale", "statefulset/varve-pageserver", "--replicas=2");
    Kubectl.run("-n", Shop.SYSTEM, "scale", "deployment/varve-operator", "--replicas=2");
    // In haste without its shards: refused, and the data stays as it is.
    shop.tenant("acme", "");
    shop.adoptWithSlot(
        "rescued", "acme", "main-db", "Retain", SLOTS.get("rescued"), IDS.get("rescued"));
    shop.awaitCondition(
        "timeline",
        "rescued",
        "Ready",
        "False LayoutDiffers .*2 shards with stripes of 2048 blocks, not as 1 shard.*");
    shop.delete("timeline", "rescued");
    shop.delete("tenant", "acme");
    long start = System.nanoTime();
    shop.tenant("acme", "shards: 2");
    shop.adoptWithSlot(
        "rescued", "acme", "main-db", "Retain", SLOTS.get("rescued"), IDS.get("rescued"));
    shop.ready("timeline/rescued", START);
    Figure.print("all-but-the-bucket-lost-to-ready", Figure.since(start));
    shop.computeAt("after", "rescued", "acme", lsn);
    shop.ready("pod/after", START);
    assertEquals(expected, shop.hashes("after"));
    shop.delete("pod", "after");
    Shop.installed();
    shop.adoptWithSlot(
        "rescued", "acme", "main-db", "Delete", SLOTS.get("rescued"), IDS.get("rescued"));
    shop.delete("timeline", "rescued");
    assertEquals(0, objects("rescued"));
  }
}
