package dev.varve.e2e;

import java.time.Duration;
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

  /** The official image, by the name under which this cluster has it. */
  static final String POSTGRES =
      System.getenv().getOrDefault("VARVE_POSTGRES_IMAGE", "postgres:17");

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
    Kubectl.run("apply", "-k", "../deploy/overlays/laptop");
    Kubectl.run("-n", SYSTEM, "rollout", "status", "deployment/varve-operator", "--timeout=180s");
    Kubectl.run(
        "-n", SYSTEM, "rollout", "status", "statefulset/varve-pageserver", "--timeout=180s");
    Kubectl.run(
        "-n",
        "varve-agent",
        "wait",
        "--for=condition=Ready",
        "pod",
        "-l",
        "app.kubernetes.io/name=varve-agent",
        "--timeout=180s");
    Kubectl.attempt("delete", "namespace", namespace, "--ignore-not-found", "--timeout=180s");
    Kubectl.run("create", "namespace", namespace);
    Kubectl.run("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted");
    return new Shop(namespace);
  }

  void close() {
    Kubectl.run("delete", "namespace", namespace, "--timeout=300s");
  }

  /** A stock primary with a role for replication, and its password's Secret. */
  void source(String name) {
    Kubectl.apply(
        namespace,
        """
        apiVersion: v1
        kind: Secret
        metadata: {name: NAME-replication}
        stringData: {password: correct-horse}
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: NAME}
        spec:
          selector: {app: NAME}
          ports: [{port: 5432}]
        ---
        apiVersion: v1
        kind: Pod
        metadata:
          name: NAME
          labels: {app: NAME}
        spec:
          securityContext: {runAsNonRoot: true, runAsUser: 999, runAsGroup: 999, fsGroup: 999, seccompProfile: {type: RuntimeDefault}}
          containers:
            - name: postgres
              image: IMAGE
              args: [postgres, -c, wal_level=replica, -c, autovacuum=off]
              env:
                - {name: POSTGRES_PASSWORD, value: secret}
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
            .replace("IMAGE", POSTGRES));
    ready("pod/" + name, Duration.ofMinutes(2));
    Kubectl.query(
        namespace,
        name,
        "create role varve replication login password 'correct-horse';"
            + "create table pgbench_accounts as select i as aid, 1 as bid, 0 as abalance, repeat(' ', 84)::char(84) as filler"
            + " from generate_series(1, 100000) i;"
            + "alter table pgbench_accounts add primary key (aid);"
            + "create table pgbench_branches as select 1 as bid, 0 as bbalance;"
            + "create table pgbench_tellers as select i as tid, 1 as bid, 0 as tbalance from generate_series(1, 10) i;"
            + "create table pgbench_history(tid int, aid int, delta int);"
            + "checkpoint");
    allowReplication(name);
    load(name, 200);
  }

  /** The official image's pg_hba.conf has no line for replication from elsewhere. */
  private void allowReplication(String name) {
    Kubectl.run(
        "-n",
        namespace,
        "exec",
        name,
        "--",
        "bash",
        "-c",
        "echo 'host replication all all scram-sha-256' >> $PGDATA/pg_hba.conf");
    Kubectl.query(namespace, name, "select pg_reload_conf()");
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

  void timeline(String name, String tenant, String source, String more) {
    Kubectl.apply(
        namespace,
        """
        apiVersion: varve.dev/v1alpha1
        kind: Timeline
        metadata: {name: NAME}
        spec:
          tenant: TENANT
          MORE
          source:
            primary:
              host: SOURCE.NAMESPACE.svc
              user: varve
              passwordSecret: {name: SOURCE-replication, key: password}
              sslMode: disable
        """
            .replace("NAMESPACE", namespace)
            .replace("NAME", name)
            .replace("TENANT", tenant)
            .replace("SOURCE", source)
            .replace("MORE", more));
  }

  /** A pod of the official image on a Varve volume. */
  void compute(String name, String timeline, String tenant) {
    Kubectl.apply(
        namespace,
        """
        apiVersion: v1
        kind: Pod
        metadata: {name: NAME}
        spec:
          terminationGracePeriodSeconds: 5
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
                volumeAttributes: {timeline: TIMELINE}
                nodePublishSecretRef: {name: varve-TENANT-token}
        """
            .replace("NAME", name)
            .replace("IMAGE", POSTGRES)
            .replace("TIMELINE", timeline)
            .replace("TENANT", tenant));
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

  /** Waits until a timeline's lag is nothing and all the source has is received. */
  void caughtUp(String timeline, String source) {
    String lsn = Kubectl.query(namespace, source, "select pg_current_wal_flush_lsn()");
    until(
        timeline + " to receive " + lsn,
        Duration.ofMinutes(1),
        () -> lsn(timeline, "receivedLsn").compareTo(padded(lsn)) >= 0,
        () -> Kubectl.run("-n", namespace, "get", "timeline", timeline, "-o", "yaml"));
  }

  /** Whether the object store has a timeline up to an LSN. */
  boolean published(String timeline, String lsn) {
    return lsn(timeline, "publishedLsn").compareTo(padded(lsn)) >= 0;
  }

  private String lsn(String timeline, String which) {
    return padded(
        Kubectl.run(
            "-n",
            namespace,
            "get",
            "timeline",
            timeline,
            "-o",
            "jsonpath={.status." + which + "}"));
  }

  /** An LSN in a form that sorts as text. */
  private static String padded(String lsn) {
    int slash = lsn.indexOf('/');
    return slash < 0
        ? ""
        : "0".repeat(8 - slash)
            + lsn.substring(0, slash)
            + "0".repeat(9 + slash - lsn.length())
            + lsn.substring(slash + 1);
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
