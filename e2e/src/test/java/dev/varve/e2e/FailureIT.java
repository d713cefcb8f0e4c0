package dev.varve.e2e;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.time.Duration;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.junit.jupiter.api.parallel.ResourceAccessMode;
import org.junit.jupiter.api.parallel.ResourceLock;

/**
 * What is wrong, the condition that says so, and that nothing has to be restarted once it is right.
 */
@Execution(ExecutionMode.CONCURRENT)
@EnabledIf(
    value = "dev.varve.e2e.Cluster#isThere",
    disabledReason = "KUBECONFIG names no cluster, and no container engine runs one")
final class FailureIT {
  private static final Duration START = Duration.ofMinutes(2);

  private static final String BUCKET = "bucket";

  private static Shop shop;
  private static String pageservers = "";

  @BeforeAll
  static void attach() {
    shop = Shop.open("e2e-failure");
    shop.sources("main-db", "other-db");
    shop.tenant("acme", "");
    shop.ready("tenant/acme", START);
    pageservers = starts();
  }

  @AfterAll
  static void detach() {
    shop.close();
  }

  /** When each container of the operator and of the pageservers started. */
  private static String starts() {
    return Kubectl.run(
        "-n",
        Shop.SYSTEM,
        "get",
        "pods",
        "-l",
        "app.kubernetes.io/component in (operator,pageserver)",
        "-o",
        "jsonpath={range .items[*]}{.metadata.name} {.status.containerStatuses[*].state.running.startedAt}{\"\\n\"}{end}");
  }

  @AfterEach
  void nothingWasRestarted() {
    assertEquals(pageservers, starts());
  }

  private static void secret(String name, String password) {
    Kubectl.apply(
        shop.namespace(),
        """
        apiVersion: v1
        kind: Secret
        metadata: {name: NAME}
        stringData: {password: PASSWORD}
        """
            .replace("NAME", name)
            .replace("PASSWORD", password));
  }

  /** The timeline is served, and what its source writes from now on arrives. */
  private static void healed(String timeline, String source) {
    long start = System.nanoTime();
    shop.awaitCondition("timeline", timeline, "Ready", "True .*");
    shop.awaitCondition("timeline", timeline, "SourceReachable", "True .*");
    Figure.print("healed-" + timeline, Figure.since(start));
    shop.load(source, 1);
    shop.published(source);
  }

  @Test
  @ResourceLock(value = BUCKET, mode = ResourceAccessMode.READ)
  void aSecretThatIsMissing() {
    shop.timeline("secretless", "acme", "main-db", "forgotten", "Delete");
    shop.awaitCondition(
        "timeline",
        "secretless",
        "Ready",
        "False SecretMissing .*no Secret forgotten: create it with the key password.*");
    secret("forgotten", "correct-horse");
    healed("secretless", "main-db");
    shop.delete("timeline", "secretless");
  }

  @Test
  @ResourceLock(value = BUCKET, mode = ResourceAccessMode.READ)
  void aPasswordThatIsWrong() {
    secret("mistyped", "wrong-horse");
    shop.timeline("mistyped", "acme", "main-db", "mistyped", "Delete");
    shop.awaitCondition("timeline", "mistyped", "Ready", "False .*password.*");
    secret("mistyped", "correct-horse");
    healed("mistyped", "main-db");
    shop.delete("timeline", "mistyped");
  }

  @Test
  @ResourceLock(value = BUCKET, mode = ResourceAccessMode.READ)
  void aSourceThatCannotBeReached() {
    shop.service("nobody", "nobody");
    shop.timeline("unreachable", "acme", "nobody", "main-db-replication", "Delete");
    shop.awaitCondition(
        "timeline",
        "unreachable",
        "SourceReachable",
        "False .*nobody.* cannot be reached.*check.*");
    shop.service("nobody", "main-db");
    healed("unreachable", "main-db");
    shop.delete("timeline", "unreachable");
  }

  @Test
  @ResourceLock(BUCKET)
  void aBucketThatIsNotThere() {
    String bucket = "deployment/varve-s3";
    Kubectl.run(
        "-n", Shop.STORE, "exec", bucket, "-c", "s3", "--", "mv", "/data/varve", "/data/away");
    try {
      shop.timeline("bucketless", "acme", "main-db", "Delete");
      shop.awaitCondition("timeline", "bucketless", "Ready", "False .*[bB]ucket.*");
    } finally {
      Kubectl.run(
          "-n", Shop.STORE, "exec", bucket, "-c", "s3", "--", "mv", "/data/away", "/data/varve");
    }
    healed("bucketless", "main-db");
    shop.delete("timeline", "bucketless");
  }

  /** As after a reboot of the laptop: the objects are where they were. */
  @Test
  @ResourceLock(BUCKET)
  void aStoreThatIsRestarted() {
    shop.timeline("rebooted", "acme", "main-db", "Delete");
    shop.ready("timeline/rebooted", START);
    Kubectl.run("-n", Shop.STORE, "rollout", "restart", "deployment/varve-s3");
    Kubectl.run("-n", Shop.STORE, "rollout", "status", "deployment/varve-s3", "--timeout=120s");
    healed("rebooted", "main-db");
    shop.delete("timeline", "rebooted");
  }

  /** A real PostgreSQL 14 is not needed: a relay makes the primary say that it is one. */
  @Test
  @ResourceLock(value = BUCKET, mode = ResourceAccessMode.READ)
  void aMajorThatIsNotSupported() {
    Kubectl.apply(
        shop.namespace(),
        """
        apiVersion: v1
        kind: Pod
        metadata: {name: old-db, labels: {app: old-db}}
        spec:
          terminationGracePeriodSeconds: 0
          securityContext: {runAsNonRoot: true, runAsUser: 999, runAsGroup: 999, seccompProfile: {type: RuntimeDefault}}
          containers:
            - name: relay
              image: IMAGE
              securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
              command:
                - perl
                - -e
                - |
                  use IO::Socket::INET; use IO::Select;
                  my $listener = IO::Socket::INET->new(LocalPort => 5432, Listen => 9, ReuseAddr => 1) or die $!;
                  $SIG{CHLD} = 'IGNORE';
                  while (my $client = $listener->accept) {
                    next if fork;
                    my $server = IO::Socket::INET->new(PeerAddr => 'main-db:5432') or die $!;
                    my $both = IO::Select->new($client, $server);
                    while (1) {
                      for my $from ($both->can_read) {
                        sysread($from, my $bytes, 65536) or exit;
                        $bytes =~ s/server_version\\0\\d\\d/server_version\\x{0}14/ if $from == $server;
                        my $to = $from == $server ? $client : $server;
                        while (length $bytes) { substr($bytes, 0, syswrite($to, $bytes) || exit) = ''; }
                      }
                    }
                  }
        """
            .replace("IMAGE", Shop.POSTGRES));
    shop.service("old-db", "old-db");
    shop.ready("pod/old-db", START);
    shop.timeline("old", "acme", "old-db", "main-db-replication", "Delete");
    shop.awaitCondition("timeline", "old", "SourceReachable", "False .*PostgreSQL 14.*15.*18.*");
    shop.service("old-db", "main-db");
    healed("old", "main-db");
    shop.delete("timeline", "old");
    shop.delete("pod", "old-db");
  }

  @Test
  @ResourceLock(value = BUCKET, mode = ResourceAccessMode.READ)
  void aSourceThatIsRestarted() {
    shop.timeline("steady", "acme", "other-db", "Delete");
    shop.ready("timeline/steady", START);
    Kubectl.attempt("-n", shop.namespace(), "exec", "other-db", "--", "bash", "-c", "kill -INT 1");
    Shop.until(
        "the source to come back",
        START,
        () ->
            shop.kubectl(
                        "get",
                        "pod",
                        "other-db",
                        "-o",
                        "jsonpath={.status.containerStatuses[0].restartCount}")
                    .equals("1")
                && Kubectl.sql(shop.namespace(), "other-db", "select 1").ok(),
        () -> shop.kubectl("describe", "pod", "other-db"));
    healed("steady", "other-db");
    shop.delete("timeline", "steady");
  }

  @Test
  @ResourceLock(value = BUCKET, mode = ResourceAccessMode.READ)
  void aSourceThatFailedOverToAnotherSystem() {
    shop.service("failing", "main-db");
    shop.timeline("failing", "acme", "failing", "main-db-replication", "Delete");
    shop.ready("timeline/failing", START);
    shop.service("failing", "other-db");
    Shop.until(
        "a condition that tells of another system",
        START,
        () -> {
          // The Service leads elsewhere a moment later.
          shop.query(
              "main-db",
              "select pg_terminate_backend(active_pid) from pg_replication_slots where slot_name = '"
                  + shop.slot("failing")
                  + "'");
          return shop.condition("timeline", "failing", "SourceReachable")
              .matches("(?s)False .*system identifier.*point the timeline at its own primary.*");
        },
        () -> shop.kubectl("get", "timeline", "failing", "-o", "yaml"));
    assertFalse(shop.slots("other-db").contains("failing"));
    shop.service("failing", "main-db");
    healed("failing", "main-db");
    shop.delete("timeline", "failing");
  }

  @Test
  @ResourceLock(value = BUCKET, mode = ResourceAccessMode.READ)
  void aTokenOfAnotherTenant() {
    shop.timeline("guarded", "acme", "main-db", "Delete");
    shop.tenant("other", "");
    shop.ready("tenant/other", START);
    shop.ready("timeline/guarded", START);
    Kubectl.apply(shop.namespace(), copyOfToken("borrowed", "other"));
    shop.pod("thief", "guarded", "borrowed", "", "");
    Shop.until(
        "an event that refuses the volume",
        START,
        () -> shop.events("thief").contains("the token is not one for timeline 'guarded'"),
        () -> shop.kubectl("describe", "pod", "thief"));
    assertFalse(Kubectl.sql(shop.namespace(), "thief", "select 1").ok());
    Kubectl.apply(shop.namespace(), copyOfToken("borrowed", "acme"));
    shop.ready("pod/thief", START);
    assertEquals("100000", shop.query("thief", "select count(*) from pgbench_accounts"));
    shop.delete("pod", "thief");
    shop.delete("timeline", "guarded");
    shop.delete("tenant", "other");
  }

  private static String copyOfToken(String name, String tenant) {
    return """
    apiVersion: v1
    kind: Secret
    metadata: {name: NAME}
    data: {token: TOKEN}
    """
        .replace("NAME", name)
        .replace(
            "TOKEN",
            shop.kubectl(
                "get", "secret", "varve-" + tenant + "-token", "-o", "jsonpath={.data.token}"));
  }
}
