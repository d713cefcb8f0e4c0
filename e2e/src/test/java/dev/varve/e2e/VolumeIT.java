package dev.varve.e2e;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.api.parallel.Isolated;

/**
 * Volumes that come and go. {@code -Dvarve.e2e.pods=N} sets how many, {@code -Dvarve.e2e.seed=S}
 * repeats a run's choices.
 */
@Isolated("it takes away what others need")
@EnabledIf(
    value = "dev.varve.e2e.Cluster#isThere",
    disabledReason = "KUBECONFIG names no cluster, and no container engine runs one")
final class VolumeIT {
  private static final Duration START = Duration.ofMinutes(2);
  private static final int PODS = Integer.getInteger("varve.e2e.pods", 50);
  private static final int MOST_AT_ONCE = 10;

  private static Shop shop;

  @BeforeAll
  static void attach() {
    shop = Shop.open("e2e-volumes");
    shop.sources("main-db");
    shop.tenant("acme", "");
    shop.timeline("main", "acme", "main-db", "Delete");
    shop.ready("timeline/main", START);
  }

  @AfterAll
  static void detach() {
    shop.close();
  }

  @Test
  void theNamespaceRefusesWhatIsNotRestricted() {
    Kubectl.Result refused =
        Kubectl.attempt(
            "-n", shop.namespace(), "run", "root", "--image=" + Shop.POSTGRES, "--privileged");
    assertFalse(refused.ok());
    assertTrue(refused.output().contains("violates PodSecurity \"restricted"), refused.output());
  }

  @Test
  void podsComeAndGoWithKubeletAndAgentRestartedAndLeaveNothing() {
    long seed = Long.getLong("varve.e2e.seed", System.nanoTime());
    Random random = new Random(seed);
    boolean control = Nodes.canControl();
    System.out.println(
        PODS
            + " pods, seed "
            + seed
            + ", agents are restarted, kubelets are "
            + (control ? "" : "not, for VARVE_NODE_COMMAND is not set"));
    List<String> nodes = Nodes.names();
    List<String> there = new ArrayList<>();
    long start = System.nanoTime();
    for (int i = 1; i <= PODS; i++) {
      String name = "churn-" + i;
      shop.compute(name, "main", "acme");
      there.add(name);
      while (there.size() >= MOST_AT_ONCE || random.nextInt(3) == 0) {
        if (there.isEmpty()) {
          break;
        }
        String gone = there.remove(random.nextInt(there.size()));
        shop.kubectl(
            "delete", "pod", gone, "--ignore-not-found", "--wait=false", "--grace-period=1");
      }
      if (i % 10 == 0) {
        waitForSome(name);
        String node = nodes.get(random.nextInt(nodes.size()));
        if (control && i % 20 == 0) {
          Nodes.exec(node, "bash", "-c", RESTART_KUBELET.replace("NODE", node));
        } else {
          restartAgent(node, random.nextBoolean());
        }
      }
    }
    shop.kubectl("delete", "pod", "-l", "app!=main-db", "--timeout=120s", "--grace-period=1");
    Figure.print("churn-of-" + PODS + "-pods", Figure.since(start));
    for (String node : nodes) {
      Shop.until(
          "nothing to be left on " + node,
          Duration.ofMinutes(1),
          () -> left(node).isEmpty(),
          () -> left(node));
      shop.pod("fresh-" + node, "main", "varve-acme-token", "", node);
    }
    for (String node : nodes) {
      shop.ready("pod/fresh-" + node, START);
      assertEquals(shop.hashes("main-db"), shop.hashes("fresh-" + node));
    }
  }

  /** The example's readiness probe sees that its agent is gone; the next agent has it replaced. */
  @Test
  void aDatabaseWhoseVolumeIsDeadIsNotReady() throws Exception {
    Kubectl.apply(
        shop.namespace(),
        Files.readString(Path.of("../deploy/examples/database-pod.yaml"))
            .replace("postgres:17", Shop.POSTGRES)
            .replace("timeline: orders", "timeline: main")
            .replace("varve-shop-token", "varve-acme-token"));
    shop.ready("pod/orders", START);
    try {
      agentsOn("{\"kubernetes.io/os\": \"linux\", \"varve.dev/agent\": \"away\"}");
      shop.kubectl("wait", "--for=condition=Ready=false", "pod/orders", "--timeout=120s");
    } finally {
      agentsOn("{\"kubernetes.io/os\": \"linux\", \"varve.dev/agent\": null}");
    }
    shop.kubectl("wait", "--for=delete", "pod/orders", "--timeout=120s");
    Shop.installed();
  }

  /** Which nodes have an agent. */
  private static void agentsOn(String selector) {
    Kubectl.run(
        "-n",
        Shop.AGENTS,
        "patch",
        "daemonset",
        "varve-agent",
        "--type=merge",
        "-p",
        "{\"spec\":{\"template\":{\"spec\":{\"nodeSelector\":" + selector + "}}}}");
  }

  /**
   * The line of {@code docs/operations/token.md}: a running database gets the new token, and reads
   * with it when the old one is refused, which a second rotation brings about at once.
   */
  @Test
  void aTokenIsRotatedUnderARunningDatabase() throws Exception {
    shop.compute("rotating", "main", "acme");
    shop.ready("pod/rotating", START);
    String before = token();
    rotate(before);
    shop.compute("rotated", "main", "acme");
    shop.ready("pod/rotated", START);
    rotate(token());
    assertEquals(shop.hashes("main-db"), shop.hashes("rotating"));
    assertEquals(shop.hashes("main-db"), shop.hashes("rotated"));
    shop.ready("pod/rotating", START);
    shop.kubectl("delete", "pod", "rotating", "rotated", "--grace-period=1");
  }

  private static String token() {
    return shop.kubectl("get", "secret", "varve-acme-token", "-o=jsonpath={.data.token}").strip();
  }

  /** Returns when the pageservers have the new token. */
  private static void rotate(String before) throws Exception {
    String lines =
        Runbook.lines("operations/token.md", "Rotating it")
            .replace("NAMESPACE", shop.namespace())
            .replace("TENANT", "acme");
    assertTrue(Runbook.paste(lines).ok());
    Shop.until(
        "another token",
        Duration.ofMinutes(1),
        () -> {
          Kubectl.Result found =
              Kubectl.attempt(
                  "-n",
                  shop.namespace(),
                  "get",
                  "secret",
                  "varve-acme-token",
                  "-o=jsonpath={.data.token}");
          return found.ok() && !found.output().strip().equals(before);
        },
        () -> shop.kubectl("get", "secrets"));
  }

  /**
   * The lines of {@code docs/operations/upgrade.md}, pasted while a pod of nobody and then a
   * disruption budget are in the way: what stops them leaves the node's databases alone.
   */
  @Test
  void theUpgradeOfAnAgentStopsAtWhatIsInTheWay() throws Exception {
    shop.kubectl("delete", "pod", "-l", "app!=main-db", "--timeout=120s", "--grace-period=1");
    String node = shop.nodeWithout("main-db");
    String agent = agent(node);
    String lines = Runbook.lines("operations/upgrade.md", "Agents, node by node");
    String upgrade = lines.replace("NODE", node).replace("--timeout=5m", "--timeout=15s");
    try {
      shop.pod("bare", "main", "varve-acme-token", "", node);
      shop.ready("pod/bare", START);
      Kubectl.Result refused = Runbook.paste(upgrade);
      assertFalse(refused.ok(), refused.output());
      assertTrue(refused.output().contains("declare no controller"), refused.output());
      assertEquals(agent, agent(node));
      assertEquals(shop.hashes("main-db"), shop.hashes("bare"));
      shop.delete("pod", "bare");

      Kubectl.run("uncordon", node);
      Kubectl.apply(shop.namespace(), budgeted(node));
      shop.kubectl("rollout", "status", "deployment/budgeted", "--timeout=120s");
      refused = Runbook.paste(upgrade);
      assertFalse(refused.ok(), refused.output());
      assertTrue(refused.output().contains("disruption budget"), refused.output());
      assertEquals(agent, agent(node));

      shop.delete("poddisruptionbudget", "budgeted");
      Kubectl.Result done = Runbook.paste(upgrade.replace("--timeout=15s", "--timeout=5m"));
      assertTrue(done.ok(), done.output());
      assertNotEquals(agent, agent(node));
      shop.kubectl("rollout", "status", "deployment/budgeted", "--timeout=120s");
    } finally {
      Kubectl.attempt("uncordon", node);
      Kubectl.attempt(
          "-n", shop.namespace(), "delete", "deployment,poddisruptionbudget", "budgeted");
    }
  }

  /** A database that prefers a node and that a budget keeps from being evicted. */
  private static String budgeted(String node) {
    return """
    apiVersion: policy/v1
    kind: PodDisruptionBudget
    metadata: {name: budgeted}
    spec:
      minAvailable: 1
      selector: {matchLabels: {app: budgeted}}
    ---
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: budgeted}
    spec:
      selector: {matchLabels: {app: budgeted}}
      template:
        metadata: {labels: {app: budgeted}}
        spec:
    """
        + Shop.podSpec(
                "main",
                "varve-acme-token",
                "",
                "affinity: {nodeAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight:"
                    + " 100, preference: {matchExpressions: [{key: kubernetes.io/hostname, operator:"
                    + " In, values: ["
                    + node
                    + "]}]}}]}}")
            .indent(6);
  }

  /** Until a pod runs, or is gone since its volume was lost. */
  private static void waitForSome(String pod) {
    Shop.until(
        pod + " to run",
        START,
        () -> {
          Kubectl.Result result =
              Kubectl.attempt(
                  "-n", shop.namespace(), "get", "pod", pod, "-o", "jsonpath={.status.phase}");
          return !result.ok() || result.output().equals("Running");
        },
        () -> shop.kubectl("describe", "pod", pod));
  }

  private static void restartAgent(String node, boolean killed) {
    List<String> delete =
        new ArrayList<>(List.of("-n", Shop.AGENTS, "delete", "pod", agent(node), "--wait=false"));
    if (killed) {
      delete.addAll(List.of("--grace-period=0", "--force"));
    }
    Kubectl.run(delete.toArray(String[]::new));
  }

  private static String agent(String node) {
    return Kubectl.run(
        "-n",
        Shop.AGENTS,
        "get",
        "pods",
        "--field-selector=spec.nodeName=" + node,
        "--sort-by=.metadata.creationTimestamp",
        "-o",
        "jsonpath={.items[-1:].metadata.name}");
  }

  /**
   * What volumes have left on a node, as its agent sees it: mounts, the agent's files, the
   * kubelet's directories, threads of mounts and connections of page sources.
   */
  private static String left(String node) {
    Kubectl.Result result =
        Kubectl.attempt(
            "-n",
            Shop.AGENTS,
            "exec",
            agent(node),
            "--",
            "bash",
            "-c",
            """
            # The agent sees the node's processes; its own have its mounts.
            for each in /proc/[0-9]*; do
              if [ "$(readlink $each/ns/mnt 2>/dev/null)" = "$(readlink /proc/self/ns/mnt)" ] && [ "$(cat $each/comm 2>/dev/null)" = java ]; then agent=$each; fi
            done
            [ -n "$agent" ] || echo 'the agent is not found'
            grep ' fuse' /proc/self/mounts
            ls -d /var/lib/kubelet/plugins/varve.dev/volumes/* 2>/dev/null
            ls -d /var/lib/kubelet/pods/*/volumes/kubernetes.io~csi/* 2>/dev/null
            cat $agent/task/*/comm | grep -iE 'fuse|varve|grpc'
            ls -l $agent/fd | grep /dev/fuse
            true
            """);
    return result.ok() ? result.output().strip() : "the agent cannot be asked: " + result.output();
  }

  /**
   * The node's kubelet dies at once, and another one with the same arguments takes its place, in
   * its cgroups, so that the node's power still has it.
   */
  private static final String RESTART_KUBELET =
      """
      for each in /proc/[0-9]*; do
        if tr '\\0' ' ' < $each/cmdline 2>/dev/null | grep -q '^kubelet .*--hostname-override NODE '; then old=${each#/proc/}; fi
      done
      mapfile -d '' -t arguments < /proc/$old/cmdline
      mapfile -t groups < <(cut -d: -f2,3 /proc/$old/cgroup)
      exec >> "$(readlink /proc/$old/fd/1)" 2>&1 < /dev/null
      config=$(printf '%s\\n' "${arguments[@]}" | grep -A1 -x -- --config | tail -1)
      kill -KILL $old
      setsid bash -c '
        directory=$1; shift
        for group in "${@:1:$1+1}"; do [ -w "/sys/fs/cgroup/${group%%:*}/${group#*:}/cgroup.procs" ] && echo $$ > "/sys/fs/cgroup/${group%%:*}/${group#*:}/cgroup.procs"; done
        shift $(($1 + 1))
        echo $$ > "$directory/init.pid"; echo $$ > "$directory.pid"
        sleep 1
        exec "$@"' restart "$(dirname "$(dirname "$config")")" ${#groups[@]} "${groups[@]}" "${arguments[@]}" &
      """;
}
