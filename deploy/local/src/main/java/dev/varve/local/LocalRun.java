package dev.varve.local;

import dev.varve.api.v1.TimelineStatus;
import dev.varve.testkit.FreePort;
import dev.varve.testkit.PageserverProcess;
import dev.varve.testkit.PostgresServer;
import dev.varve.testkit.RootMount;
import dev.varve.testkit.TableHashes;
import dev.varve.testkit.TpcB;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SortedMap;
import java.util.concurrent.TimeUnit;

/**
 * The local run: from a stock primary to stock PostgreSQL on a thin image, and again after the
 * pageserver has lost its disk. Says what it does, compares every table, and ends with a summary of
 * times. Exit code 1 when anything is not as it must be.
 */
public final class LocalRun {
  private static final String FIRST_ROW = "4711";
  private static final String FIRST_ROW_QUERY =
      "select aid from pgbench_accounts where aid = " + FIRST_ROW;
  private static final int CLIENTS = 2;

  private final Options options;
  private final Path home;
  private final Path root;
  private final List<String[]> summary = new ArrayList<>();
  private final List<ComputeProcess> computes = new ArrayList<>();

  private LocalRun(Options options, Path home, Path root) {
    this.options = options;
    this.home = home;
    this.root = root;
  }

  /**
   * Runs with the options that {@code --help} lists; the project's directory is the system property
   * {@code varve.root}.
   */
  public static void main(String[] arguments) throws Exception {
    if (List.of(arguments).contains("--help")) {
      System.out.print(Options.USAGE);
      return;
    }
    Options options;
    try {
      options = Options.parse(arguments);
    } catch (IllegalArgumentException e) {
      System.err.println(e.getMessage());
      System.err.println();
      System.err.print(Options.USAGE);
      System.exit(2);
      return;
    }
    Path root = Path.of(System.getProperty("varve.root", ".")).toAbsolutePath().normalize();
    Path home = options.directory();
    if (home == null) {
      home = PostgresServer.temporaryDirectory();
    } else {
      Files.createDirectories(home);
    }
    boolean ok = false;
    try {
      new LocalRun(options, home, root).run();
      ok = true;
    } catch (IllegalStateException | SQLException | IOException e) {
      System.err.println();
      System.err.println("FAILED: " + e.getMessage());
      System.err.println("Files and logs are in " + home);
    }
    if (ok && options.directory() == null && !options.keep()) {
      PostgresServer.deleteTree(home);
    }
    System.exit(ok ? 0 : 1);
  }

  private void run() throws Exception {
    String store =
        options.store() == null ? "directory:" + home.resolve("objects") : options.store();
    Path local = home.resolve("pageserver");
    PageserverProcess.Place place = new PageserverProcess.Place(FreePort.any(), FreePort.any(), "");
    say("PostgreSQL " + options.major() + ", object store " + store);

    PostgresServer primary =
        PostgresServer.builder(options.major())
            .checksums(options.checksums())
            .setting("max_wal_size", "4GB")
            .start();
    TpcB load = new TpcB(primary, options.scale());
    step("primary: pgbench tables at scale " + options.scale());
    load.initialize();
    long databaseBytes =
        Long.parseLong(
            primary.query("postgres", "select sum(pg_database_size(oid)) from pg_database"));
    done(megabytes(databaseBytes));

    PageserverProcess pageserver =
        PageserverProcess.start(
            root, store, local, home.resolve("pageserver.log"), place, Map.of());
    try {
      step("attach: base backup, and WAL up to its end");
      long attachStart = System.nanoTime();
      pageserver.attach(primary.port());
      pageserver.awaitAttached();
      note("attach", milliseconds(attachStart));
      if (!ComputeProcess.hasClassCache(root)) {
        trainAgent(pageserver, lsn(primary));
      }

      step("load for " + options.seconds() + " s while the pageserver receives");
      long lsnBefore = lsn(primary);
      long loadStart = System.nanoTime();
      long until = loadStart + TimeUnit.SECONDS.toNanos(options.seconds());
      long transactions = load.run(CLIENTS, 1, done -> System.nanoTime() >= until);
      long lsnAfter = lsn(primary);
      pageserver.awaitStatus("catching up", status -> status.getReceivedLsn() >= lsnAfter);
      double seconds = (System.nanoTime() - loadStart) / 1e9;
      done(transactions + " transactions, " + megabytes(lsnAfter - lsnBefore) + " of WAL");
      summary.add(
          new String[] {
            "received under load",
            String.format(
                Locale.ROOT,
                "%.1f MB/s of WAL, as fast as it was written",
                (lsnAfter - lsnBefore) / seconds / 1e6)
          });
      step("published to the object store");
      long publishStart = System.nanoTime();
      TimelineStatus status =
          pageserver.awaitStatus("publishing", current -> current.getPublishedLsn() >= lsnAfter);
      note("published behind received", milliseconds(publishStart));
      summary.add(
          new String[] {
            "layers", status.getLayerCount() + " files, " + megabytes(status.getLayerBytes())
          });

      Tables expected = Tables.of(primary);
      ComputeProcess second = compute("second PostgreSQL", pageserver, "compute-1", expected);
      step("it takes writes and restarts");
      second.execute(
          "create table written(i int)",
          "insert into written select generate_series(1, 1000)",
          "checkpoint");
      second.restart();
      require(
          "1000".equals(second.query("select count(*) from written")),
          "local writes survive a restart");
      done("ok");
      if (!options.keep()) {
        second.stop();
      }

      step("beside it: stock PostgreSQL, here the primary, starts on its whole data directory");
      startStock(primary);

      step("kill the pageserver and wipe its disk; load goes on meanwhile");
      pageserver.kill();
      PostgresServer.deleteTree(local);
      load.run(CLIENTS, 2, done -> done >= 500);
      long restartStart = System.nanoTime();
      pageserver =
          PageserverProcess.start(
              root, store, local, home.resolve("pageserver.log"), place, Map.of());
      pageserver.attach(primary.port());
      pageserver.awaitAttached();
      note("pageserver start to serving, from the object store alone", milliseconds(restartStart));
      Tables later = Tables.of(primary);
      ComputeProcess third = compute("third PostgreSQL", pageserver, "compute-2", later);
      step("more start and stop, one after the other");
      startComputes(pageserver, later.lsn());
      step("stock PostgreSQL starts on volumes of a node agent, as on Kubernetes");
      startOnVolumes(pageserver, later.lsn());
      summary.add(
          new String[] {"pageserver memory", megabytes(pageserver.process().residentBytes())});
      printSummary();
      if (options.keep()) {
        keep(primary, pageserver, place.httpPort(), second, third);
      } else {
        third.stop();
      }
    } finally {
      for (ComputeProcess compute : computes) {
        compute.stop();
      }
      pageserver.stop();
      primary.close();
    }
  }

  /** Lets an agent run once, so that those to come start with their classes linked. */
  private void trainAgent(PageserverProcess pageserver, long lsn) throws Exception {
    step("class cache of the agent, once after each build");
    pageserver.awaitStatus("catching up", status -> status.getReceivedLsn() >= lsn);
    startCompute(pageserver, lsn, "training").compute().stop();
    done("made");
  }

  /** A compute that has answered its first row, and how long that took from its agent's start. */
  private record Started(ComputeProcess compute, double millis) {}

  private Started startCompute(PageserverProcess pageserver, long lsn, String directory)
      throws IOException, InterruptedException {
    int port = FreePort.any();
    long start = System.nanoTime();
    ComputeProcess compute =
        ComputeProcess.start(
            root, options, pageserver.address(), lsn, home.resolve(directory), port);
    computes.add(compute);
    String row = compute.awaitQuery(FIRST_ROW_QUERY);
    double millis = (System.nanoTime() - start) / 1e6;
    require(FIRST_ROW.equals(row), "the first row");
    return new Started(compute, millis);
  }

  /**
   * Starts computes on a pageserver that has done so before, each on a directory of its own. What
   * they leave stays for now: for some minutes ext4 steps over the inodes of removed files one by
   * one whenever it makes another, which is a millisecond for each of the next compute's files.
   */
  private void startComputes(PageserverProcess pageserver, long lsn)
      throws IOException, InterruptedException {
    double[] millis = new double[options.starts()];
    for (int i = 0; i < millis.length; i++) {
      Started started = startCompute(pageserver, lsn, "start-" + (i + 1));
      millis[i] = started.millis();
      started.compute().stop();
    }
    note("start to first row, on a pageserver that runs", spread(millis));
  }

  /**
   * Has a node agent publish volumes, and starts PostgreSQL on each as the official image does. The
   * first is the agent's first, too, and told apart. All stay until the end, for the reason above.
   */
  private void startOnVolumes(PageserverProcess pageserver, long lsn) throws Exception {
    String what = "start to first row, on a node agent's volume";
    if (!RootMount.isPossible()) {
      note(what, "not measured: " + RootMount.NEEDS);
      return;
    }
    NodeAgentProcess agent =
        NodeAgentProcess.start(root, home.resolve("node-agent.log"), pageserver.address());
    try {
      VolumeStart first = startOnVolume(agent, "pod-0", lsn);
      double[] millis = new double[options.starts()];
      double[] publishing = new double[millis.length];
      for (int i = 0; i < millis.length; i++) {
        VolumeStart start = startOnVolume(agent, "pod-" + (i + 1), lsn);
        millis[i] = start.millis();
        publishing[i] = start.publishMillis();
      }
      note(
          what,
          spread(millis) + String.format(Locale.ROOT, "; the agent's first %.0f", first.millis()));
      summary.add(new String[] {"  of which the agent publishes the volume", spread(publishing)});
      summary.add(new String[] {"node agent memory", megabytes(agent.residentBytes())});
    } finally {
      agent.stop();
    }
  }

  /** Times from the request for a volume. */
  private record VolumeStart(double publishMillis, double millis) {}

  private VolumeStart startOnVolume(NodeAgentProcess agent, String pod, long lsn) throws Exception {
    double millis;
    long start = System.nanoTime();
    Path data = agent.publish(pod, lsn);
    double publishMillis = (System.nanoTime() - start) / 1e6;
    try (PostgresServer server = PostgresServer.builder(options.major()).on(data)) {
      server.start();
      String row = server.query("postgres", FIRST_ROW_QUERY);
      millis = (System.nanoTime() - start) / 1e6;
      require(FIRST_ROW.equals(row), "the first row");
      server.stop();
    }
    return new VolumeStart(publishMillis, millis);
  }

  private void startStock(PostgresServer primary) throws Exception {
    double[] millis = new double[options.starts()];
    for (int i = 0; i < millis.length; i++) {
      primary.stop();
      long start = System.nanoTime();
      primary.start();
      String row = primary.query("postgres", FIRST_ROW_QUERY);
      millis[i] = (System.nanoTime() - start) / 1e6;
      require(FIRST_ROW.equals(row), "the first row");
    }
    note("start to first row, stock PostgreSQL, warm", spread(millis));
  }

  private static String spread(double[] millis) {
    double[] sorted = millis.clone();
    Arrays.sort(sorted);
    return String.format(
        Locale.ROOT,
        "median %.0f ms of %d, %.0f to %.0f",
        sorted[sorted.length / 2],
        sorted.length,
        sorted[0],
        sorted[sorted.length - 1]);
  }

  private ComputeProcess compute(
      String name, PageserverProcess pageserver, String directory, Tables expected)
      throws Exception {
    pageserver.awaitStatus("catching up", status -> status.getReceivedLsn() >= expected.lsn());
    step(name + " starts from a thin image at " + format(expected.lsn()));
    Started started = startCompute(pageserver, expected.lsn(), directory);
    ComputeProcess compute = started.compute();
    note(name + ": start to first row", String.format(Locale.ROOT, "%.0f ms", started.millis()));
    for (String line : compute.report()) {
      summary.add(new String[] {"  " + name, line});
    }
    step("its tables are compared with the primary's");
    SortedMap<String, String> actual = TableHashes.of(compute.server());
    require(
        expected.hashes().equals(actual),
        "equal hashes; differing: " + differing(expected.hashes(), actual));
    done(actual.size() + " tables equal");
    summary.add(new String[] {"  " + name, "agent memory " + megabytes(compute.residentBytes())});
    return compute;
  }

  /** A primary's tables at an LSN. */
  private record Tables(long lsn, SortedMap<String, String> hashes) {
    /** Again while something writes: autovacuum, or the hints that reading leaves on pages. */
    static Tables of(PostgresServer primary) throws Exception {
      while (true) {
        String before = inserted(primary);
        SortedMap<String, String> hashes = TableHashes.of(primary);
        if (before.equals(inserted(primary))) {
          primary.query("postgres", "select pg_current_xact_id()"); // its commit flushes all WAL
          return new Tables(LocalRun.lsn(primary), hashes);
        }
      }
    }

    private static String inserted(PostgresServer primary) throws SQLException {
      return primary.query("postgres", "select pg_current_wal_insert_lsn()");
    }
  }

  private static List<String> differing(
      SortedMap<String, String> expected, SortedMap<String, String> actual) {
    List<String> names = new ArrayList<>();
    expected.forEach((name, hash) -> {
      if (!hash.equals(actual.get(name))) {
        names.add(name + " " + hash + " / " + actual.get(name));
      }
    });
    return names;
  }

  private static void keep(
      PostgresServer primary,
      PageserverProcess pageserver,
      int httpPort,
      ComputeProcess second,
      ComputeProcess third)
      throws InterruptedException {
    System.out.println();
    System.out.println("Everything is left running. Try:");
    System.out.println("  psql -h 127.0.0.1 -U postgres -p " + primary.port() + "   # the primary");
    System.out.println(
        "  psql -h 127.0.0.1 -U postgres -p " + second.port() + "   # the second PostgreSQL");
    System.out.println(
        "  psql -h 127.0.0.1 -U postgres -p " + third.port() + "   # the third PostgreSQL");
    System.out.println("  curl http://127.0.0.1:" + httpPort + "/api/v1/timelines");
    System.out.println("  curl http://127.0.0.1:" + httpPort + "/q/metrics");
    System.out.println("Ctrl-C ends all of it.");
    while (pageserver.process().isRunning() && primary.isRunning()) {
      Thread.sleep(500);
    }
  }

  // What is said

  private long stepStart;

  private void say(String text) {
    System.out.println(text);
  }

  private void step(String text) {
    stepStart = System.nanoTime();
    System.out.print("· " + text + " … ");
    System.out.flush();
  }

  private void done(String result) {
    System.out.println(result + " (" + milliseconds(stepStart) + ")");
  }

  private void note(String what, String value) {
    System.out.println(value);
    summary.add(new String[] {what, value});
  }

  private void printSummary() {
    System.out.println();
    for (String[] line : summary) {
      System.out.printf(Locale.ROOT, "%-58s %s%n", line[0], line[1]);
    }
  }

  private static void require(boolean holds, String what) {
    if (!holds) {
      throw new IllegalStateException("not as it must be: " + what);
    }
  }

  private static String milliseconds(long sinceNanos) {
    return String.format(Locale.ROOT, "%.0f ms", (System.nanoTime() - sinceNanos) / 1e6);
  }

  private static String megabytes(long bytes) {
    return String.format(Locale.ROOT, "%.1f MB", bytes / 1e6);
  }

  private static String format(long lsn) {
    return String.format(Locale.ROOT, "%X/%X", lsn >>> 32, lsn & 0xFFFF_FFFFL);
  }

  static long lsn(PostgresServer server) throws SQLException {
    String text = server.query("postgres", "select pg_current_wal_flush_lsn()");
    int slash = text.indexOf('/');
    return Long.parseLong(text.substring(0, slash), 16) << 32
        | Long.parseLong(text.substring(slash + 1), 16);
  }
}
