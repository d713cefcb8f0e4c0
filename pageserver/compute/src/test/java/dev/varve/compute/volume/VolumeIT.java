package dev.varve.compute.volume;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.api.csi.v1.NodeGetCapabilitiesRequest;
import dev.varve.api.csi.v1.NodeGetInfoRequest;
import dev.varve.api.csi.v1.NodeGetVolumeStatsRequest;
import dev.varve.api.csi.v1.NodeGetVolumeStatsResponse;
import dev.varve.api.csi.v1.NodePublishVolumeRequest;
import dev.varve.api.csi.v1.NodeUnpublishVolumeRequest;
import dev.varve.compute.agent.DataDirectoryServer;
import dev.varve.compute.fuse.FuseMount;
import dev.varve.compute.page.Network;
import dev.varve.testkit.PostgresServer;
import dev.varve.testkit.RootMount;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;

/**
 * The node agent, driven over its Unix socket as the kubelet drives it, with real mounts, and stock
 * PostgreSQL on what it publishes.
 */
@EnabledIf(value = RootMount.CHECK, disabledReason = RootMount.NEEDS)
class VolumeIT {
  private static final int MAJOR = 17;
  private static final String SUM = "select count(*) || ':' || sum(hashtext(t::text)) from t";

  private static PostgresServer original;
  private static Path space;
  private static String expected;

  private DataDirectoryServer pageserver;
  private FakeKubernetes kubernetes;
  private Path kubelet;
  private NodeAgentProcess agent;

  @BeforeAll
  static void makeOriginal() throws IOException, SQLException {
    original = PostgresServer.builder(MAJOR).start();
    space = PostgresServer.temporaryDirectory();
    original.execute(
        "postgres",
        "create tablespace far location '" + space + "'",
        "create table t (id int primary key, body text)",
        "insert into t select i, repeat(md5(i::text), 8) from generate_series(1, 20000) i",
        "create table t_far (id int) tablespace far",
        "insert into t_far select generate_series(1, 1000)",
        "vacuum analyze");
    expected = original.query("postgres", SUM);
    original.stop();
  }

  @AfterAll
  static void removeOriginal() {
    if (original != null) {
      original.close();
      PostgresServer.deleteTree(space);
    }
  }

  @BeforeEach
  void start() throws Exception {
    pageserver = new DataDirectoryServer(original.dataDirectory(), MAJOR);
    pageserver.timeline = "shop.acme/orders";
    pageserver.token = "secret";
    kubernetes = new FakeKubernetes();
    kubernetes.tenants.put("shop/orders", "acme");
    kubernetes.tenants.put("shop/gone", "acme");
    kubelet = PostgresServer.temporaryDirectory();
    startAgent();
  }

  private void startAgent() throws Exception {
    String[] address = pageserver.address().split(":", -1);
    agent =
        new NodeAgentProcess(kubelet, address[0] + ":{" + address[1] + "+shard}", kubernetes.uri());
  }

  @AfterEach
  void end() throws Exception {
    agent.close();
    for (Path mount : MountTable.below(kubelet)) {
      FuseMount.force(mount);
    }
    kubernetes.close();
    pageserver.close();
    PostgresServer.deleteTree(kubelet);
  }

  private void publish(String pod) throws IOException {
    agent.node().nodePublishVolume(agent.request(pod).build());
  }

  private interface Condition {
    boolean holds() throws IOException;
  }

  /** Returns when the condition holds, or after a minute all the same. */
  private static void await(Condition condition) throws IOException {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
    while (!condition.holds() && System.nanoTime() < deadline) {
      LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(20));
    }
  }

  private PostgresServer postgres(String pod) throws IOException {
    PostgresServer server = PostgresServer.builder(MAJOR).on(agent.target(pod));
    server.start();
    return server;
  }

  @Test
  void aPublishedVolumeIsADatabase() throws Exception {
    assertEquals(
        "node-1", agent.node().nodeGetInfo(NodeGetInfoRequest.getDefaultInstance()).getNodeId());
    assertEquals(
        2,
        agent
            .node()
            .nodeGetCapabilities(NodeGetCapabilitiesRequest.getDefaultInstance())
            .getCapabilitiesCount());
    long start = System.nanoTime();
    agent
        .node()
        .nodePublishVolume(
            agent.request("one").putVolumeContext("settings", "work_mem = 5MB\n").build());
    System.out.println("first publish " + (System.nanoTime() - start) / 1_000_000 + " ms");
    publish("one");
    assertEquals(
        "rwx------",
        PosixFilePermissions.toString(Files.getPosixFilePermissions(agent.target("one"))));
    for (String file : List.of("", "global/pg_control", "postgresql.conf")) {
      Path path = agent.target("one").resolve(file);
      assertEquals(PostgresServer.UID, Files.getAttribute(path, "unix:uid"), file);
      assertEquals(PostgresServer.UID, Files.getAttribute(path, "unix:gid"), file);
    }
    publish("two");
    try (PostgresServer one = postgres("one");
        PostgresServer two = postgres("two")) {
      assertEquals(expected, one.query("postgres", SUM));
      assertEquals("5MB", one.query("postgres", "show work_mem"));
      one.execute(
          "postgres",
          "insert into t_far select generate_series(1, 500)",
          "delete from t where id > 100",
          "create table mine tablespace far as select 1 as a");
      assertEquals("100", one.query("postgres", "select count(*) from t"));
      assertEquals("1500", one.query("postgres", "select count(*) from t_far"));
      assertEquals(expected, two.query("postgres", SUM));
    }
    NodeGetVolumeStatsResponse stats = stats("one");
    assertTrue(stats.getUsage(0).getTotal() > 0);
    assertFalse(stats.getVolumeCondition().getAbnormal());
    agent.unpublish("one");
    agent.unpublish("one");
    agent.unpublish("two");
    assertEquals(List.of(), leftovers());
  }

  @Test
  void aSuccessorWaitsAndTheLastAgentLeavesNothing() throws Exception {
    CompletableFuture<NodeAgentProcess> successor =
        CompletableFuture.supplyAsync(() -> {
          try {
            return new NodeAgentProcess(kubelet, pageserver.address(), kubernetes.uri());
          } catch (Exception e) {
            throw new IllegalStateException(e);
          }
        });
    await(() -> successor.isDone() || isAwaited(kubelet.resolve("plugins/varve.dev/lock")));
    assertFalse(successor.isDone());
    agent.close();
    agent = successor.get(60, TimeUnit.SECONDS);
    publish("one");
    agent.unpublish("one");
    agent.close();
    try (var left = Files.walk(kubelet.resolve("plugins_registry"))) {
      assertEquals(1, left.count());
    }
    assertFalse(Files.exists(kubelet.resolve("plugins/varve.dev")));
  }

  /** Whether a process waits for a lock on a file. */
  private static boolean isAwaited(Path file) throws IOException {
    Object inode = Files.getAttribute(file, "unix:ino");
    return Files.readAllLines(Path.of("/proc/locks")).stream()
        .anyMatch(line -> line.contains("->") && line.contains(":" + inode + " "));
  }

  private List<Path> leftovers() throws IOException {
    PostgresServer.deleteTree(kubelet.resolve("pods"));
    Files.createDirectories(kubelet.resolve("pods"));
    return agent.leftovers();
  }

  private Status refusal(NodePublishVolumeRequest.Builder request) {
    return assertThrows(
            StatusRuntimeException.class, () -> agent.node().nodePublishVolume(request.build()))
        .getStatus();
  }

  @Test
  void refusalsSayWhatToDoAndLeaveNothing() throws Exception {
    Status unknown = refusal(agent.request("a").putVolumeContext("timeline", "nowhere"));
    assertEquals(Status.Code.NOT_FOUND, unknown.getCode());
    assertTrue(unknown.getDescription().contains("kubectl -n shop get vtl"), "" + unknown);
    Status notServed = refusal(agent.request("a").putVolumeContext("timeline", "gone"));
    assertEquals(Status.Code.NOT_FOUND, notServed.getCode());
    assertTrue(notServed.getDescription().contains("describe timeline gone"), "" + notServed);
    assertTrue(notServed.getDescription().contains("at " + pageserver.address()), "" + notServed);
    Status wrongToken = refusal(agent.request("a").putSecrets("token", "wrong"));
    assertEquals(Status.Code.UNAUTHENTICATED, wrongToken.getCode());
    assertTrue(wrongToken.getDescription().contains("nodePublishSecretRef"), "" + wrongToken);
    assertFalse(agent.output().contains("wrong'"));
    Status noToken = refusal(agent.request("a").clearSecrets());
    assertTrue(noToken.getDescription().contains("no token was given"), "" + noToken);
    Status typo = refusal(agent.request("a").putVolumeContext("timelime", "orders"));
    assertEquals(Status.Code.INVALID_ARGUMENT, typo.getCode());
    assertEquals(
        Status.Code.INVALID_ARGUMENT,
        refusal(agent.request("a").setTargetPath("/etc/target")).getCode());
    assertEquals(
        Status.Code.INVALID_ARGUMENT,
        refusal(agent.request("a").putVolumeContext("owner", "root")).getCode());
    pageserver.close();
    Status away = refusal(agent.request("a"));
    assertEquals(Status.Code.UNAVAILABLE, away.getCode());
    agent.unpublish("a");
    assertEquals(List.of(), leftovers());
  }

  @Test
  void aKilledAgentsPodsAreReplaced() throws Exception {
    publish("one");
    publish("two");
    agent.unpublish("two");
    try (PostgresServer one = postgres("one")) {
      assertEquals("1", one.query("postgres", "select 1"));
      agent.kill();
      long start = System.nanoTime();
      assertThrows(IOException.class, () -> Files.readString(relationFile("one")));
      SQLException failure =
          assertThrows(SQLException.class, () -> one.query("postgres", "select sum(id) from t"));
      assertTrue(failure.getMessage().contains("could not"), failure.getMessage());
      assertTrue(System.nanoTime() - start < TimeUnit.SECONDS.toNanos(5), "an error, not a hang");
      kubernetes.deletionStatus = 500; // tried again until it works
      startAgent();
      kubernetes.deletions.poll(30, TimeUnit.SECONDS);
      kubernetes.deletionStatus = 200;
      String deletion = kubernetes.deletions.poll(30, TimeUnit.SECONDS);
      assertTrue(deletion.startsWith("/api/v1/namespaces/shop/pods/one "), deletion);
      assertTrue(deletion.contains("\"uid\":\"one\""), deletion);
      String event = kubernetes.events.poll(30, TimeUnit.SECONDS);
      assertTrue(event.contains("VolumeLost") && event.contains("restarted"), event);
      assertEquals(Status.Code.FAILED_PRECONDITION, refusal(agent.request("one")).getCode());
      one.stopImmediately();
    }
    agent.unpublish("one");
    publish("three");
    try (PostgresServer three = postgres("three")) {
      assertEquals(expected, three.query("postgres", SUM));
    }
    agent.unpublish("three");
    assertEquals(List.of(), leftovers());
  }

  private Path relationFile(String pod) throws IOException {
    return agent.target(pod).resolve("base/5/PG_VERSION");
  }

  @Test
  void anAgentThatDiesWhilePreparingIsCleanedUpAfter() throws Exception {
    pageserver.imageDelayMillis = 60_000;
    NodePublishVolumeRequest request = agent.request("one").build();
    Thread publishing =
        Thread.ofVirtual()
            .start(() -> {
              try {
                agent.node().nodePublishVolume(request);
              } catch (StatusRuntimeException e) {
                // it dies below this call
              }
            });
    Path record = kubelet.resolve("plugins/varve.dev/volumes/csi-one/record");
    await(() -> Files.exists(record));
    assertEquals(Status.Code.ABORTED, refusal(request.toBuilder()).getCode());
    agent.kill();
    publishing.join();
    pageserver.imageDelayMillis = 0;
    startAgent();
    assertFalse(Files.exists(record));
    publish("one");
    agent.unpublish("one");
    assertEquals(List.of(), leftovers());
  }

  @Test
  void aDamagedRecordHoldsUpNobody() throws Exception {
    publish("one");
    agent.kill();
    Path record = kubelet.resolve("plugins/varve.dev/volumes/csi-one/record");
    String target = agent.target("one").toString();
    String made = Files.readString(record);
    Files.writeString(record, "state=DREAM\n");
    startAgent();
    publish("two");
    agent.kill();
    Files.writeString(record, made.replace(target, kubelet.resolve("pods").toString()));
    startAgent();
    assertTrue(Files.exists(agent.target("two")), "deleted by the record of another");
    agent.unpublish("one");
    agent.unpublish("two");
    assertEquals(List.of(), leftovers());
  }

  @Test
  void aPodThatVanishedIsForgotten() throws Exception {
    publish("one");
    for (Path mount : MountTable.below(kubelet)) {
      FuseMount.force(mount); // what a machine's crash would do; the kubelet then removes the pod
    }
    PostgresServer.deleteTree(kubelet.resolve("pods/one"));
    Path home = kubelet.resolve("plugins/varve.dev/volumes/csi-one");
    await(() -> !Files.exists(home));
    assertEquals(List.of(), leftovers());
  }

  @Test
  void noVolumeCanBeMadeOrRemovedOverAnother() throws Exception {
    publish("one");
    String taken = agent.target("one").toString();
    for (NodePublishVolumeRequest.Builder second :
        List.of(
            agent.request("two").setTargetPath(taken),
            agent.request("two").setTargetPath(kubelet.resolve("pods").toString()))) {
      assertEquals(Status.Code.INVALID_ARGUMENT, refusal(second).getCode());
    }
    assertEquals(
        Status.Code.INVALID_ARGUMENT,
        assertThrows(
                StatusRuntimeException.class,
                () ->
                    agent
                        .node()
                        .nodeUnpublishVolume(
                            NodeUnpublishVolumeRequest.newBuilder()
                                .setVolumeId("csi-two")
                                .setTargetPath(taken)
                                .build()))
            .getStatus()
            .getCode());
    assertTrue(Files.exists(relationFile("one")));
    agent.unpublish("one");
    assertEquals(List.of(), leftovers());
  }

  @Test
  void fiftyVolumesAtRandomLeaveNothingBehind() throws Exception {
    long seed = System.nanoTime();
    System.out.println("seed " + seed);
    Random random = new Random(seed);
    publish("warm");
    agent.unpublish("warm");
    long[] before = agent.resources();
    List<String> published = new ArrayList<>();
    List<Long> millis = new ArrayList<>();
    int made = 0;
    while (made < 50 || !published.isEmpty()) {
      if (made < 50 && (published.isEmpty() || published.size() < 8 && random.nextBoolean())) {
        String pod = "pod" + made++;
        long start = System.nanoTime();
        publish(pod);
        millis.add((System.nanoTime() - start) / 1_000_000);
        if (random.nextInt(4) == 0) {
          publish(pod);
        }
        published.add(pod);
      } else {
        String pod = published.remove(random.nextInt(published.size()));
        if (random.nextInt(4) == 0) {
          Files.size(agent.target(pod).resolve("base/5/1259"));
        }
        agent.unpublish(pod);
      }
    }
    assertEquals(List.of(), leftovers());
    millis.sort(null);
    System.out.println("publish ms: median " + millis.get(25) + ", longest " + millis.getLast());
    // The threads that carried virtual ones, and closed connections, end by and by.
    await(() -> {
      long[] now = agent.resources();
      return now[0] <= before[0] + 4 && now[1] <= before[1] + 4;
    });
    long[] after = agent.resources();
    assertTrue(after[0] <= before[0] + 4, "threads: " + before[0] + ", then " + after[0]);
    assertTrue(after[1] <= before[1] + 4, "descriptors: " + before[1] + ", then " + after[1]);
  }

  @Test
  void aVolumeIsUnpublishedWhileThePageserverIsSilent() throws Exception {
    agent.close();
    try (Network network = new Network(Integer.parseInt(pageserver.address().split(":", -1)[1]));
        ServerSocket nowhere = new ServerSocket(0, 50, InetAddress.getLoopbackAddress())) {
      agent = new NodeAgentProcess(kubelet, network.address(), kubernetes.uri());
      publish("silent");
      PostgresServer server = postgres("silent");
      assertEquals("1", server.query("postgres", "select 1"));
      network.silence();
      network.leadTo(nowhere.getLocalPort());
      Path cold = agent.target("silent").resolve("base/4/2619"); // template0, which nobody reads
      Process reader = new ProcessBuilder("cat", cold.toString()).start();
      await(() -> kernelWaits(reader.pid()));
      reader.destroyForcibly();
      assertTrue(reader.waitFor(60, TimeUnit.SECONDS), "a killed reader goes on waiting");
      server.stop();
      agent.unpublish("silent");
      assertFalse(Files.exists(agent.target("silent")));
      assertTrue(MountTable.below(kubelet).isEmpty());
    }
  }

  private void republish(String pod, String token) throws IOException {
    agent.node().nodePublishVolume(agent.request(pod).putSecrets("token", token).build());
  }

  private static boolean canOpen(Path file) {
    try {
      Files.readString(file);
      return true;
    } catch (IOException e) {
      return false;
    }
  }

  private NodeGetVolumeStatsResponse stats(String pod) throws IOException {
    return agent
        .node()
        .nodeGetVolumeStats(
            NodeGetVolumeStatsRequest.newBuilder()
                .setVolumeId("csi-" + pod)
                .setVolumePath(agent.target(pod).toString())
                .build());
  }

  private boolean isAbnormal(String pod) throws IOException {
    return stats(pod).getVolumeCondition().getAbnormal();
  }

  @Test
  void aDatabaseReadsOnWhileItsTokenIsRotated() throws Exception {
    publish("one");
    try (PostgresServer one = postgres("one")) {
      // The volume has the new token before the pageserver does, then after it.
      republish("one", "second");
      assertEquals("10", one.query("postgres", "select count(*) from t where id <= 10"));
      pageserver.token = "second";
      assertEquals(expected, one.query("postgres", SUM));

      // A token that nobody told the volume of: it waits, its pod is not ready, and then it is.
      pageserver.token = "third";
      Path probed = agent.target("one").resolve("base/1/PG_VERSION");
      assertTrue(canOpen(probed));
      CompletableFuture<String> waiting =
          CompletableFuture.supplyAsync(() -> {
            try {
              return one.query("postgres", "select count(*) from t_far");
            } catch (SQLException e) {
              throw new AssertionError(e);
            }
          });
      String event = kubernetes.events.poll(60, TimeUnit.SECONDS);
      assertNotNull(event);
      assertTrue(event.contains("VolumeUnreadable") && event.contains("token"), event);
      assertFalse(canOpen(probed));
      assertTrue(isAbnormal("one"));
      assertFalse(waiting.isDone());
      assertEquals("1", one.query("postgres", "select 1"));
      republish("one", "third");
      assertEquals("1000", waiting.get(60, TimeUnit.SECONDS));
      event = kubernetes.events.poll(60, TimeUnit.SECONDS);
      assertNotNull(event);
      assertTrue(event.contains("VolumeReadable"), event);
      assertTrue(canOpen(probed));
      assertFalse(isAbnormal("one"));
      assertTrue(kubernetes.deletions.isEmpty());
    }
    agent.unpublish("one");
    assertEquals(List.of(), leftovers());
  }

  /** Whether a process waits, for anything but a processor. */
  private static boolean kernelWaits(long process) throws IOException {
    String stat = Files.readString(Path.of("/proc/" + process + "/stat"));
    return stat.charAt(stat.lastIndexOf(')') + 2) != 'R';
  }
}
