package dev.varve.local.zoo;

import dev.varve.api.v1.AttachTimelineRequest;
import dev.varve.api.v1.DetachTimelineRequest;
import dev.varve.api.v1.GetTimelineRequest;
import dev.varve.api.v1.PrimarySource;
import dev.varve.api.v1.TimelineState;
import dev.varve.api.v1.TimelineStatus;
import dev.varve.local.ComputeProcess;
import dev.varve.local.zoo.Animal.Moment;
import dev.varve.testkit.Amcheck;
import dev.varve.testkit.FreePort;
import dev.varve.testkit.PageserverProcess;
import dev.varve.testkit.PostgresServer;
import java.nio.file.Path;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.SortedMap;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;

/**
 * Takes one animal through everything: made, attached, started from twice, compared, detached.
 * Several may run at once on one pageserver.
 */
final class Keeper {
  private static final long ATTACH_SECONDS = 90;

  private final Path root;
  private final Path home;
  private final PageserverProcess pageserver;
  private final Animal animal;
  private final Visit visit;

  Keeper(Path root, Path home, PageserverProcess pageserver, Animal animal, int major) {
    this.root = root;
    this.home = home;
    this.pageserver = pageserver;
    this.animal = animal;
    this.visit = new Visit(animal, major);
  }

  Visit run() throws InterruptedException {
    try (Habitat habitat = new Habitat(animal, visit.major(), home)) {
      PostgresServer standby;
      try {
        habitat.create();
        Common.build(habitat);
        animal.run(Moment.BUILT, habitat);
        standby = habitat.backupOf(habitat.primary());
      } catch (InterruptedException e) {
        throw e;
      } catch (Exception e) {
        visit.notBuilt(e);
        return visit;
      }
      Original[] original = new Original[1];
      if (visit.compare(
          Comparison.ATTACH,
          () -> {
            attach(habitat);
            habitat.execute("checkpoint"); // or the standby would not write its buffers out
            Common.attached(habitat);
            animal.run(Moment.ATTACHED, habitat);
            original[0] = Original.of(habitat);
            long lsn = parse(original[0].lsn());
            var _ =
                await(
                    "received", status -> Long.compareUnsigned(status.getReceivedLsn(), lsn) >= 0);
            return List.of();
          })) {
        boolean imaged = compareEager(habitat, original[0]);
        compareMounted(habitat, original[0]);
        detach(habitat);
        if (imaged) {
          compareFiles(habitat, original[0], standby);
        }
      } else {
        detach(habitat);
      }
      return visit;
    }
  }

  /**
   * The primary as it was looked at.
   *
   * @param lsn of that look
   * @param counters of ids at that look
   */
  private record Original(
      String lsn,
      String counters,
      Contents contents,
      SortedMap<String, String> settings,
      SortedMap<String, String> logins) {
    static Original of(Habitat habitat) throws Exception {
      PostgresServer primary = habitat.primary();
      Contents contents = Contents.of(primary, true);
      SortedMap<String, String> settings = Settings.of(primary, habitat.animal().shown());
      SortedMap<String, String> logins = Logins.of(primary, Common.logins(habitat.animal()));
      // Its commit flushes all WAL: that of a transaction without a record would not.
      primary.query("postgres", "select pg_logical_emit_message(true, 'zoo', 'end')");
      String counters = counters(primary);
      return new Original(primary.currentLsn(), counters, contents, settings, logins);
    }

    /** Of transactions and multixacts; LSNs move on by themselves, since snapshots are logged. */
    static String counters(PostgresServer primary) throws SQLException {
      return primary.query(
          "postgres", "select pg_snapshot_xmax(pg_current_snapshot()) || ' ' || mxid_age('1')");
    }
  }

  private void attach(Habitat habitat) throws Exception {
    var _ =
        pageserver
            .management()
            .attachTimeline(
                AttachTimelineRequest.newBuilder()
                    .setTenant(PageserverProcess.TENANT)
                    .setTimeline(timeline())
                    .setPrimary(
                        PrimarySource.newBuilder()
                            .setHost("127.0.0.1")
                            .setPort(habitat.source().port())
                            .setUser(animal.replicator())
                            .setPassword(animal.password() == null ? "" : animal.password())
                            .setSslMode(animal.sslMode()))
                    .build());
    animal.run(Moment.DURING, habitat);
    var _ = await("attached", status -> status.getState() == TimelineState.TIMELINE_STATE_ACTIVE);
  }

  private String timeline() {
    return animal.name() + "-" + visit.major();
  }

  private void detach(Habitat habitat) throws InterruptedException {
    visit.compare(
        Comparison.DETACH,
        () -> {
          var _ =
              pageserver
                  .management()
                  .detachTimeline(
                      DetachTimelineRequest.newBuilder()
                          .setTenant(PageserverProcess.TENANT)
                          .setTimeline(timeline())
                          .setDropSlot(true)
                          .setDeleteObjects(true)
                          .build());
          return habitat
              .source()
              .column(
                  "postgres",
                  "select slot_name || ' is left' from pg_replication_slots where slot_name like 'varve%'");
        });
  }

  private TimelineStatus await(String what, Predicate<TimelineStatus> wanted)
      throws InterruptedException {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(ATTACH_SECONDS);
    while (true) {
      TimelineStatus status =
          pageserver
              .management()
              .getTimeline(
                  GetTimelineRequest.newBuilder()
                      .setTenant(PageserverProcess.TENANT)
                      .setTimeline(timeline())
                      .build());
      if (wanted.test(status)) {
        return status;
      }
      if (status.getState() == TimelineState.TIMELINE_STATE_BROKEN) {
        throw new IllegalStateException("the timeline is broken: " + status.getProblem());
      }
      if (System.nanoTime() > deadline) {
        throw new IllegalStateException(
            "not " + what + " in time: " + status.getState() + " " + status.getProblem());
      }
      Thread.sleep(10);
    }
  }

  private ComputeProcess.Launch launch(String directory, String lsn, int port, String... more) {
    List<String> arguments = new ArrayList<>(List.of(more));
    arguments.addAll(List.of("--setting", "listen_addresses=127.0.0.1," + Habitat.SECOND_ADDRESS));
    if (animal.ofDistribution()) {
      arguments.addAll(List.of("--postgres", Programs.directory(visit.major()).toString()));
    }
    return new ComputeProcess.Launch(
        visit.major(),
        pageserver.address(),
        PageserverProcess.TENANT + "/" + timeline(),
        lsn,
        home.resolve(directory),
        port,
        arguments);
  }

  private PostgresServer at(int port) {
    return animal.server(visit.major()).at(port);
  }

  private void compareMounted(Habitat habitat, Original original) throws InterruptedException {
    ComputeProcess[] started = new ComputeProcess[1];
    try {
      if (!visit.compare(
          Comparison.MOUNT,
          () -> {
            int port = FreePort.reserved();
            started[0] =
                ComputeProcess.start(root, launch("mounted", original.lsn(), port), at(port));
            started[0].awaitQuery("select 1");
            return List.of();
          })) {
        return;
      }
      ComputeProcess compute = started[0];
      compareContents("mount", original, compute.server());
      visit.compare(
          Comparison.SETTINGS,
          () ->
              Contents.differences(
                  original.settings(), Settings.of(compute.server(), animal.shown())));
      visit.compare(
          Comparison.AMCHECK,
          () -> Amcheck.complaints(compute.server(), Habitat.databases(compute.server())));
      log("mount", habitat, compute.log());
      visit.compare(
          Comparison.LOGINS,
          () ->
              Logins.differences(
                  original.logins(), Logins.of(compute.server(), Common.logins(animal))));
      int before = compute.log().length();
      visit.compare(Comparison.WRITES, () -> Writes.take(compute, habitat));
      visit.compare(Comparison.BACKUP, () -> Writes.backUp(habitat, compute.server()));
      log("mount, later", habitat, compute.log().substring(before));
    } finally {
      if (started[0] != null) {
        started[0].stop();
      }
    }
  }

  /** False when there is no image to compare files with. */
  private boolean compareEager(Habitat habitat, Original original) throws InterruptedException {
    int[] port = new int[1];
    ComputeProcess[] started = new ComputeProcess[1];
    try {
      if (!visit.compare(
          Comparison.EAGER,
          () -> {
            port[0] = FreePort.reserved();
            ComputeProcess prepared =
                ComputeProcess.start(
                    root,
                    launch("eager", original.lsn(), port[0], "--eager", "--prepare-only"),
                    at(port[0]));
            prepared.awaitEnd();
            StandbyComparison.keep(home.resolve("eager/data"), image());
            return List.of();
          })) {
        return false;
      }
      if (!visit.compare(
          Comparison.EAGER,
          () -> {
            started[0] =
                ComputeProcess.start(
                    root, launch("eager", original.lsn(), port[0], "--eager"), at(port[0]));
            started[0].awaitQuery("select 1");
            return List.of();
          })) {
        return true;
      }
      compareContents("eager", original, started[0].server());
      log("eager", habitat, started[0].log());
      return true;
    } finally {
      if (started[0] != null) {
        started[0].stop();
      }
    }
  }

  /** Where the image's SLRUs and control file are kept as they were before the first start. */
  private Path image() {
    return home.resolve("image");
  }

  private void compareFiles(Habitat habitat, Original original, PostgresServer standby)
      throws InterruptedException {
    PostgresServer primary = habitat.primary();
    visit.compare(
        Comparison.CONTROL,
        () -> {
          habitat.endSessions();
          boolean wentOn = !Original.counters(primary).equals(original.counters());
          primary.stop();
          return StandbyComparison.control(visit.major(), primary.dataDirectory(), image(), wentOn);
        });
    visit.compare(
        Comparison.SLRU,
        () -> {
          StandbyComparison.replay(standby, primary, original.lsn());
          return StandbyComparison.slrus(visit.major(), standby.dataDirectory(), image());
        });
  }

  private void log(String where, Habitat habitat, String log) throws InterruptedException {
    visit.compare(
        Comparison.LOG,
        () ->
            LogLines.more(log, habitat.primary().log()).stream()
                .map(line -> where + ": " + line)
                .toList());
  }

  private void compareContents(String where, Original original, PostgresServer server)
      throws InterruptedException {
    Contents[] contents = new Contents[1];
    visit.compare(
        Comparison.TABLES,
        () -> {
          contents[0] = Contents.of(server, false);
          return marked(
              where, Contents.differences(original.contents().tables(), contents[0].tables()));
        });
    if (contents[0] == null) {
      return;
    }
    visit.compare(
        Comparison.CATALOGS,
        () ->
            marked(
                where,
                Contents.differences(original.contents().catalogs(), contents[0].catalogs())));
    visit.compare(
        Comparison.SEQUENCES,
        () ->
            marked(
                where, Contents.behind(original.contents().sequences(), contents[0].sequences())));
  }

  private static List<String> marked(String where, List<String> lines) {
    return lines.stream().map(line -> where + ": " + line).toList();
  }

  private static long parse(String lsn) {
    int slash = lsn.indexOf('/');
    return Long.parseLong(lsn.substring(0, slash), 16) << 32
        | Long.parseLong(lsn.substring(slash + 1), 16);
  }
}
