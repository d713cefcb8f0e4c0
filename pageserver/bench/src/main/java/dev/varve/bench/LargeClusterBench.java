package dev.varve.bench;

import dev.varve.compute.agent.Agent;
import dev.varve.testkit.AgedCluster;
import dev.varve.testkit.AgentJvm;
import dev.varve.testkit.FreePort;
import dev.varve.testkit.PageserverProcess;
import dev.varve.testkit.PostgresServer;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * What a cluster costs that is large in what is no user data: tables, transaction status, shared
 * comments. Attaches it to a pageserver, starts a compute on the mount, asks it for the list of its
 * tables; seconds, and the memory that each program had at most.
 */
public final class LargeClusterBench {
  /** Made before a commit: their locks are held until then. */
  private static final int TABLES_PER_COMMIT = 1000;

  private static final int COMMENT_BYTES = 1_000_000;

  /** What the list of a client's {@code \d} reads. */
  private static final String TABLES =
      "select count(*) from (select c.oid, n.nspname, c.relname, pg_get_userbyid(c.relowner)"
          + " from pg_class c join pg_namespace n on n.oid = c.relnamespace"
          + " where c.relkind in ('r', 'v', 'm', 'S', 'f') and n.nspname !~ '^pg_'"
          + " and pg_table_is_visible(c.oid) order by 2, 3) l";

  private LargeClusterBench() {}

  /**
   * Options: {@code --tables}, {@code --transactions}, {@code --times} (of them with a commit
   * timestamp) and {@code --multixacts} in millions, {@code --comments} in megabytes, {@code
   * --starts} of computes one after the other.
   */
  public static void main(String[] args) throws Exception {
    Arguments arguments = new Arguments(args);
    int tables = arguments.get("tables", 0);
    long transactions = arguments.get("transactions", 0) * 1_000_000L;
    long times = arguments.get("times", 0) * 1_000_000L;
    long multis = arguments.get("multixacts", 0) * 1_000_000L;
    int comments = arguments.get("comments", 0);
    int starts = arguments.get("starts", 3);
    arguments.done();
    Path home = PostgresServer.temporaryDirectory();
    try (PostgresServer primary =
        PostgresServer.builder(17)
            .setting("full_page_writes", "off")
            .setting("shared_buffers", "512MB")
            .setting("max_wal_size", "4GB")
            .setting("synchronous_commit", "off")
            .setting("autovacuum", "off")
            .setting("autovacuum_freeze_max_age", "2000000000")
            .setting("autovacuum_multixact_freeze_max_age", "2000000000")
            .setting("max_locks_per_transaction", "1024")
            .setting("track_commit_timestamp", times > 0 ? "on" : "off")
            .start()) {
      makeTables(primary, tables);
      makeComments(primary, comments);
      if (transactions > 0) {
        long before = System.nanoTime();
        primary.stop();
        AgedCluster.age(primary, transactions, times, multis);
        primary.start();
        row(transactions / 1_000_000 + " M transactions made up", before);
      }
      try (PageserverProcess pageserver =
          PageserverProcess.start(
              Path.of(System.getProperty("varve.root", ".")),
              "directory:" + home.resolve("objects"),
              home.resolve("pageserver"),
              home.resolve("pageserver.log"),
              new PageserverProcess.Place(FreePort.any(), FreePort.any(), ""),
              Map.of())) {
        long before = System.nanoTime();
        pageserver.attach(primary.port());
        pageserver.awaitAttached();
        row("attached", before);
        memory("pageserver", pageserver.process().pid());
        for (int start = 1; start <= starts; start++) {
          compute(pageserver, primary, home.resolve("compute" + start));
        }
        memory("pageserver", pageserver.process().pid());
      }
    } finally {
      PostgresServer.deleteTree(home);
    }
  }

  private static void row(String what, long since) {
    System.out.printf(Locale.ROOT, "%-40s %10.2f s%n", what, (System.nanoTime() - since) / 1e9);
  }

  /** What the process has and what it had at most. */
  private static void memory(String what, long pid) throws IOException {
    String now = "";
    String most = "";
    for (String line : Files.readAllLines(Path.of("/proc/" + pid + "/status"))) {
      now = line.startsWith("VmRSS:") ? line.substring(6).strip() : now;
      most = line.startsWith("VmHWM:") ? line.substring(6).strip() : most;
    }
    System.out.printf("%-40s %10s, at most %s%n", what + " resident", now, most);
  }

  private static void makeTables(PostgresServer primary, int count) throws SQLException {
    long before = System.nanoTime();
    if (count > 0) {
      primary.execute(
          "postgres",
          "do $$ begin for i in 1.."
              + count
              + " loop execute format('create table t%s (id int primary key, body text)', i);"
              + " if i % "
              + TABLES_PER_COMMIT
              + " = 0 then commit; end if; end loop; end $$");
      row(count + " tables made", before);
    }
  }

  /** In {@code pg_shdescription}, whose values are long and do not shrink. */
  private static void makeComments(PostgresServer primary, int megabytes) throws SQLException {
    long before = System.nanoTime();
    if (megabytes > 0) {
      primary.execute(
          "postgres",
          "do $$ declare body text; begin"
              + " select string_agg(md5(i::text || 'x'), '') into body from generate_series(1, "
              + COMMENT_BYTES / 32
              + ") i;"
              + " for i in 1.."
              + megabytes
              + " loop execute format('create role r%s', i);"
              + " execute format('comment on role r%s is %L', i, i || body);"
              + " if i % 100 = 0 then commit; end if; end loop; end $$");
      row(
          megabytes
              + " comments made, "
              + primary.query(
                  "postgres", "select pg_size_pretty(pg_total_relation_size('pg_shdescription'))"),
          before);
    }
  }

  private static void compute(PageserverProcess pageserver, PostgresServer primary, Path directory)
      throws Exception {
    int port = FreePort.any();
    List<String> command = AgentJvm.command("-XX:TieredStopAtLevel=1");
    command.addAll(
        List.of(
            "-cp",
            System.getProperty("java.class.path"),
            Agent.class.getName(),
            "--server",
            pageserver.address(),
            "--timeline",
            PageserverProcess.TENANT + "/" + PageserverProcess.TIMELINE,
            "--directory",
            directory.toString(),
            "--postgres",
            primary.binDirectory().toString(),
            "--port",
            "" + port,
            "--user",
            "" + PostgresServer.UID));
    long before = System.nanoTime();
    Process agent = new ProcessBuilder(command).redirectErrorStream(true).start();
    try {
      BufferedReader output = agent.inputReader(StandardCharsets.UTF_8);
      String line = output.readLine();
      while (line != null && !line.contains("varve-agent: ready")) {
        System.out.println("  " + line);
        line = output.readLine();
      }
      System.out.println("  " + line);
      Thread.ofVirtual().start(() -> output.lines().forEach(l -> System.out.println("  " + l)));
      row("compute ready", before);
      System.out.printf(
          "%-40s %10.1f MB%n", "laid out beside mounts", bytes(directory.resolve("data")) / 1e6);
      queries(port);
      row("compute, with its queries", before);
      memory("agent", agent.pid());
      agent.toHandle().destroy();
      row("stopped, code " + agent.waitFor(), before);
    } finally {
      agent.destroyForcibly();
    }
  }

  /** Of files that are there, but for those below mounts. */
  private static long bytes(Path directory) throws IOException {
    long bytes = 0;
    try (var files = Files.newDirectoryStream(directory)) {
      for (Path file : files) {
        if (!Files.isDirectory(file)) {
          bytes += Files.size(file);
        } else if (Files.getFileStore(file).equals(Files.getFileStore(directory))) {
          bytes += bytes(file);
        }
      }
    }
    return bytes;
  }

  private static void queries(int port) throws SQLException {
    try (Connection connection =
            DriverManager.getConnection(
                "jdbc:postgresql://127.0.0.1:" + port + "/postgres?user=postgres&sslmode=disable");
        Statement statement = connection.createStatement()) {
      for (String sql :
          List.of(
              "select 1",
              TABLES,
              TABLES,
              "select count(*), sum(length(description)) from pg_shdescription",
              "select pg_xact_status('5000000'::xid8)",
              "create table made(i int)")) {
        long before = System.nanoTime();
        String answer = "";
        try {
          if (statement.execute(sql)) {
            try (ResultSet rows = statement.getResultSet()) {
              answer = rows.next() ? rows.getString(1) : "";
            }
          }
        } catch (SQLException e) {
          answer = e.getMessage();
        }
        row(sql.substring(0, Math.min(24, sql.length())) + ": " + answer, before);
      }
    }
  }
}
