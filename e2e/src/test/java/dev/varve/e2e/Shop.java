package dev.varve.e2e;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * A namespace that enforces Pod Security {@code restricted}, with a source PostgreSQL in it that
 * has pgbench's tables.
 */
final class Shop {
  static final String SYSTEM = "varve";
  static final String AGENTS = "varve-agent";

  /** The laptop overlay's S3 server. */
  static final String STORE = "varve-s3";

  /** The official image, by the name under which this cluster has it. */
  static final String POSTGRES =
      System.getenv().getOrDefault("VARVE_POSTGRES_IMAGE", "postgres:17");

  /**
   * Held while Varve is installed: {@code kubectl apply} fails where another one creates what it
   * found missing.
   */
  static final Object INSTALLING = new Object();

  private static final List<String> TABLES =
      List.of("pgbench_accounts", "pgbench_branches", "pgbench_tellers", "pgbench_history");

  private final String namespace;

  private Shop(String namespace) {
    this.namespace = namespace;
  }

  String namespace() {
    return namespace;
  }

  /** Installs Varve unless it is there, waits for it, and makes a namespace anew. */
  static Shop open(String namespace) {
    synchronized (INSTALLING) {
      Kubectl.run("apply", "-k", "../deploy/overlays/laptop");
    }
    installed();
    Kubectl.attempt("delete", "namespace", namespace, "--ignore-not-found", "--timeout=180s");
    Kubectl.run("create", "namespace", namespace);
    Kubectl.run("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted");
    Kubectl.run("-n", namespace, "apply", "-f", "../deploy/examples/access.yaml");
    return new Shop(namespace);
  }

  /** Waits until all of Varve is there. */
  static void installed() {
    Kubectl.run("-n", SYSTEM, "rollout", "status", "deployment/varve-operator", "--timeout=180s");
    Kubectl.run(
        "-n", SYSTEM, "rollout", "status", "statefulset/varve-pageserver", "--timeout=180s");
    Kubectl.run(
        "-n",
        AGENTS,
        "wait",
        "--for=condition=Ready",
        "pod",
        "-l",
        "app.kubernetes.io/name=varve-agent",
        "--timeout=180s");
  }

  /** The node of the object store. */
  static String storeNode() {
    return Kubectl.run(
        "-n",
        STORE,
        "get",
        "pods",
        "-l",
        "app.kubernetes.io/component=s3",
        "-o",
        "jsonpath={.items[0].spec.nodeName}");
  }

  /** Timelines go while their sources are there, then everything else, which nobody waits for. */
  void close() {
    kubectl("delete", "timelines,tenants", "--all", "--timeout=180s");
    Kubectl.run("delete", "namespace", namespace, "--wait=false");
  }

  /** In this namespace. */
  String kubectl(String... arguments) {
    List<String> all = new ArrayList<>(List.of("-n", namespace));
    all.addAll(List.of(arguments));
    return Kubectl.run(all.toArray(String[]::new));
  }

  /** Deletes and waits until it is gone. */
  void delete(String kind, String... names) {
    List<String> all = new ArrayList<>(List.of("delete", kind));
    all.addAll(List.of(names));
    all.add("--timeout=150s");
    kubectl(all.toArray(String[]::new));
  }

  String query(String pod, String sql) {
    return Kubectl.query(namespace, pod, sql);
  }

  /** Stock primaries, each with a role for replication, its password's Secret, and data. */
  void sources(String... names) {
    sourcesOn("", names);
  }

  /**
   * @param node where they run; empty: anywhere
   */
  void sourcesOn(String node, String... names) {
    for (String name : names) {
      Kubectl.apply(
          namespace,
          """
          apiVersion: v1
          kind: Secret
          metadata: {name: NAME-replication}
          stringData: {password: correct-horse}
          ---
          apiVersion: v1
          kind: Pod
          metadata:
            name: NAME
            labels: {app: NAME}
          spec:
            terminationGracePeriodSeconds: 1
            nodeSelector: {NODE}
            securityContext: {runAsNonRoot: true, runAsUser: 999, runAsGroup: 999, fsGroup: 999, seccompProfile: {type: RuntimeDefault}}
            containers:
              - name: postgres
                image: IMAGE
                args: [postgres, -c, wal_level=replica, -c, autovacuum=off, -c, fsync=off, -c, max_replication_slots=60, -c, max_wal_senders=60]
                env:
                  - {name: POSTGRES_PASSWORD, value: secret}
                  - {name: POSTGRES_INITDB_ARGS, value: --no-sync}
                  - {name: PGHOST, value: 127.0.0.1}
                  - {name: PGPASSWORD, value: secret}
                  - {name: PGDATA, value: /var/lib/postgresql/data/pgdata}
                securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
                readinessProbe:
                  exec: {command: [pg_isready, -U, postgres, -h, 127.0.0.1]}
                  periodSeconds: 1
                volumeMounts: [{name: data, mountPath: /var/lib/postgresql/data}]
            volumes: [{name: data, emptyDir: {}}]
          """
              .replace("NAME", name)
              .replace("NODE", node.isEmpty() ? "" : "kubernetes.io/hostname: " + node)
              .replace("IMAGE", POSTGRES));
      service(name, name);
    }
    for (String name : names) {
      ready("pod/" + name, Duration.ofMinutes(2));
      allowReplication(name);
      query(
          name,
          "select pg_reload_conf();"
              + "create role varve replication login password 'correct-horse';"
              + "create table pgbench_accounts as select i as aid, 1 as bid, 0 as abalance, repeat(' ', 84)::char(84) as filler"
              + " from generate_series(1, 100000) i;"
              + "alter table pgbench_accounts add primary key (aid);"
              + "create table pgbench_branches as select 1 as bid, 0 as bbalance;"
              + "create table pgbench_tellers as select i as tid, 1 as bid, 0 as tbalance from generate_series(1, 10) i;"
              + "create table pgbench_history(tid int, aid int, delta int);"
              + "checkpoint");
      load(name, 200);
    }
  }

  /** A Service that leads to pods by their label {@code app}. */
  void service(String name, String app) {
    Kubectl.apply(
        namespace,
        """
        apiVersion: v1
        kind: Service
        metadata: {name: NAME}
        spec:
          selector: {app: APP}
          ports: [{port: 5432}]
        """
            .replace("NAME", name)
            .replace("APP", app));
  }

  /** The official image's pg_hba.conf has no line for replication from elsewhere. */
  private void allowReplication(String name) {
    kubectl(
        "exec",
        name,
        "--",
        "bash",
        "-c",
        "echo 'host replication all all scram-sha-256' >> $PGDATA/pg_hba.conf");
  }

  /** So many transactions, each on one row of each table. */
  void load(String source, int transactions) {
    Kubectl.query(
        namespace,
        source,
        ("do $$ begin for i in 1..COUNT loop"
                + " update pgbench_accounts set abalance = abalance + i where aid = 1 + (i * 7919) % 100000;"
                + " update pgbench_tellers set tbalance = tbalance + i where tid = 1 + i % 10;"
                + " update pgbench_branches set bbalance = bbalance + i where bid = 1;"
                + " insert into pgbench_history values (1 + i % 10, 1 + (i * 7919) % 100000, i);"
                + " commit; end loop; end $$")
            .replace("COUNT", Integer.toString(transactions)));
  }

  void tenant(String name, String spec) {
    Kubectl.apply(
        namespace,
        """
        apiVersion: varve.dev/v1alpha1
        kind: Tenant
        metadata: {name: NAME}
        spec: {SPEC}
        """
            .replace("NAME", name)
            .replace("SPEC", spec));
  }

  void timeline(String name, String tenant, String source, String policy) {
    timeline(name, tenant, source, source + "-replication", policy);
  }

  /**
   * @param secret has the password of the source
   * @param policy Delete or Retain
   */
  void timeline(String name, String tenant, String host, String secret, String policy) {
    timeline(name, tenant, host, secret, policy, "");
  }

  /** One that is another's, which is lost, and goes on with its slot. */
  void adoptWithSlot(
      String name, String tenant, String source, String policy, String slot, String id) {
    timeline(
        name,
        tenant,
        source,
        source + "-replication",
        policy,
        "slot: " + slot + "\n  adopt: \"" + id + "\"");
  }

  /** One that serves what was retained, and ends it. */
  void adopt(String name, String tenant, String id) {
    Kubectl.apply(
        namespace,
        """
        apiVersion: varve.dev/v1alpha1
        kind: Timeline
        metadata: {name: %s}
        spec: {tenant: %s, deletionPolicy: Delete, adopt: "%s"}
        """
            .formatted(name, tenant, id));
  }

  /** A timeline's id. */
  String id(String timeline) {
    return kubectl("get", "vtl", timeline, "-o", "jsonpath={.status.timelineId}");
  }

  /** Waits until a tenant lists a timeline that was retained. */
  void awaitRetained(String tenant, String id) {
    kubectl(
        "wait",
        "vtenant/" + tenant,
        "--for=jsonpath={.status.retainedTimelines[?(@.id==\"" + id + "\")].id}=" + id,
        "--timeout=60s");
  }

  private void timeline(
      String name, String tenant, String host, String secret, String policy, String slot) {
    Kubectl.apply(
        namespace,
        """
        apiVersion: varve.dev/v1alpha1
        kind: Timeline
        metadata: {name: NAME}
        spec:
          tenant: TENANT
          deletionPolicy: POLICY
          source:
            primary:
              host: HOST
              user: varve
              passwordSecret: {name: SECRET, key: password}
              sslMode: disable
              SLOT
        """
            .replace("NAME", name)
            .replace("SLOT", slot)
            .replace("TENANT", tenant)
            .replace("HOST", host)
            .replace("SECRET", secret)
            .replace("POLICY", policy));
  }

  /** A pod of the official image on a Varve volume at the newest LSN. */
  void compute(String name, String timeline, String tenant) {
    pod(name, timeline, "varve-" + tenant + "-token", "", "");
  }

  /** At an LSN; the volume waits until it was received. */
  void computeAt(String name, String timeline, String tenant, String lsn) {
    computeAt(name, timeline, tenant, lsn, "");
  }

  /**
   * The same.
   *
   * @param node where it runs; empty: anywhere
   */
  void computeAt(String name, String timeline, String tenant, String lsn, String node) {
    pod(name, timeline, "varve-" + tenant + "-token", ", lsn: " + lsn, node);
  }

  /**
   * A pod of the official image on a Varve volume.
   *
   * @param secret has the token
   * @param attributes more of the volume's
   * @param node where it runs; empty: anywhere
   */
  void pod(String name, String timeline, String secret, String attributes, String node) {
    String placement =
        "nodeSelector: {" + (node.isEmpty() ? "" : "kubernetes.io/hostname: " + node) + "}";
    Kubectl.apply(
        namespace,
        """
        apiVersion: v1
        kind: Pod
        metadata: {name: NAME, labels: {app: NAME}}
        spec:
        """
                .replace("NAME", name)
            + podSpec(timeline, secret, attributes, placement).indent(2));
  }

  /**
   * The spec of such a pod.
   *
   * @param placement a line that says where it runs
   */
  static String podSpec(String timeline, String secret, String attributes, String placement) {
    return """
    terminationGracePeriodSeconds: 5
    PLACEMENT
    securityContext: {runAsNonRoot: true, runAsUser: 999, runAsGroup: 999, seccompProfile: {type: RuntimeDefault}}
    containers:
      - name: postgres
        image: IMAGE
        securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
        readinessProbe:
          exec: {command: [pg_isready, -U, postgres]}
          periodSeconds: 1
        volumeMounts: [{name: data, mountPath: /var/lib/postgresql/data}]
    volumes:
      - name: data
        csi:
          driver: varve.dev
          volumeAttributes: {timeline: TIMELINEATTRIBUTES}
          nodePublishSecretRef: {name: SECRET}
    """
        .replace("PLACEMENT", placement)
        .replace("IMAGE", POSTGRES)
        .replace("ATTRIBUTES", attributes)
        .replace("TIMELINE", timeline)
        .replace("SECRET", secret);
  }

  /** A node that a pod is not on. */
  String nodeWithout(String pod) {
    String node = kubectl("get", "pod", pod, "-o", "jsonpath={.spec.nodeName}");
    return Nodes.names().stream().filter(name -> !name.equals(node)).findFirst().orElse(node);
  }

  /** Whether a node has the official image; it tells with a delay of some seconds. */
  static boolean hasImage(String node) {
    return Kubectl.run("get", "node", node, "-o", "jsonpath={.status.images[*].names}")
        .contains(POSTGRES);
  }

  /** Where the source's WAL ends now. */
  String lsn(String source) {
    return query(source, "select pg_current_wal_flush_lsn()");
  }

  void ready(String resource, Duration limit) {
    Kubectl.Result result =
        Kubectl.attempt(
            "-n",
            namespace,
            "wait",
            "--for=condition=Ready",
            resource,
            "--timeout=" + limit.toSeconds() + "s");
    if (!result.ok()) {
      throw new IllegalStateException(
          result.output()
              + Kubectl.attempt("-n", namespace, "describe", resource).output()
              + Kubectl.attempt("-n", SYSTEM, "logs", "deployment/varve-operator", "--tail=50")
                  .output());
    }
  }

  /** Waits until the object store has all of a source's WAL, which is when its slots let it go. */
  void published(String source) {
    String lsn = lsn(source);
    until(
        lsn + " to be published",
        Duration.ofMinutes(1),
        () ->
            query(
                    source,
                    "select count(*) > 0 and bool_and(restart_lsn >= '"
                        + lsn
                        + "') from pg_replication_slots")
                .equals("t"),
        () -> kubectl("get", "timelines", "-o", "yaml"));
  }

  /** The replication slot of a timeline, without what each of several shards has behind. */
  String slot(String timeline) {
    return kubectl("get", "vtl", timeline, "-o", "jsonpath={.status.slot}");
  }

  /** The replication slots of a source, in order. */
  String slots(String source) {
    return query(
        source,
        "select coalesce(string_agg(slot_name, ' ' order by slot_name), '') from pg_replication_slots");
  }

  /** A hash of all rows of each table. */
  String hashes(String pod) {
    return Kubectl.query(namespace, pod, hashQuery());
  }

  static String hashQuery() {
    StringBuilder sql = new StringBuilder();
    for (String table : TABLES) {
      sql.append(sql.isEmpty() ? "" : " union all ")
          .append("select '")
          .append(table)
          .append("', count(*), md5(string_agg(t::text, ',' order by t::text)) from ")
          .append(table)
          .append(" t");
    }
    return sql.toString();
  }

  /** The status of one condition, with reason and message. */
  String condition(String kind, String name, String type) {
    return Kubectl.run(
        "-n",
        namespace,
        "get",
        kind,
        name,
        "-o",
        "jsonpath={range .status.conditions[?(@.type==\""
            + type
            + "\")]}{.status} {.reason} {.message}{end}");
  }

  /** Waits for a condition that matches, and for what it says to be of use. */
  void awaitCondition(String kind, String name, String type, String regex) {
    until(
        kind + "/" + name + " to say " + type + " " + regex,
        Duration.ofMinutes(2),
        () -> condition(kind, name, type).matches("(?s)" + regex),
        () -> kubectl("get", kind, name, "-o", "yaml"));
  }

  /** Events of an object, a line each: reason and message. */
  String events(String name) {
    return kubectl(
        "get",
        "events",
        "--field-selector=involvedObject.name=" + name,
        "-o",
        "jsonpath={range .items[*]}{.reason} {.message}{\"\\n\"}{end}");
  }

  static void until(
      String what, Duration limit, BooleanSupplier holds, @Nullable Supplier<String> otherwise) {
    long deadline = System.nanoTime() + limit.toNanos();
    while (!holds.getAsBoolean()) {
      if (System.nanoTime() > deadline) {
        throw new IllegalStateException(
            "waited "
                + limit.toSeconds()
                + " s for "
                + what
                + (otherwise == null ? "" : "\n" + otherwise.get()));
      }
      try {
        Thread.sleep(200);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new IllegalStateException("interrupted", e);
      }
    }
  }
}
