package dev.varve.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import dev.varve.api.v1.AttachTimelineRequest;
import dev.varve.api.v1.GetThinImageRequest;
import dev.varve.api.v1.GetThinImageResponse;
import dev.varve.api.v1.ManagementServiceGrpc;
import dev.varve.api.v1.PageServiceGrpc;
import dev.varve.api.v1.TimelineState;
import dev.varve.engine.EngineOptions;
import dev.varve.engine.store.MemoryObjectStore;
import dev.varve.testkit.PostgresServer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.sql.SQLException;
import java.util.Iterator;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** An image says what its original's settings were at its LSN. */
final class SettingsIT {
  private static final String TIMELINE = "main";
  private static final String SEARCH = "default_text_search_config";

  @TempDir Path directory;

  private final MemoryObjectStore store = new MemoryObjectStore();

  @Test
  void areThoseOfTheLsn() throws Exception {
    try (PostgresServer primary =
        PostgresServer.builder(17)
            .setting("shared_preload_libraries", "pg_stat_statements")
            .setting("autovacuum", "off")
            .start()) {
      primary.execute(
          "postgres",
          "create role copier login replication",
          "alter role copier set timezone = 'Asia/Tokyo'",
          "alter role all set datestyle = 'SQL'",
          "alter system set " + SEARCH + " = 'german'",
          "alter system set timezone = 'Europe/Rome'",
          "alter system set pg_stat_statements.max = '1234'",
          "load 'plpgsql'",
          "alter system set plpgsql.variable_conflict = 'use_column'",
          "alter system set myapp.tenant = 'acme''s'",
          "alter system set log_min_messages = 'error'");
      configure(primary, "postgresql.conf", "include_dir 'more'");
      configure(primary, "more/trgm.conf", "Pg_Trgm.similarity_threshold=0.7 # of all");
      configure(primary, "more/old.conf.off", "myapp.gone = 1");
      primary.restart();
      long first;
      long second;
      try (TestPageserver pageserver = start("a")) {
        pageserver.attach(TIMELINE, TestPageserver.primary(primary.port()).setUser("copier"));
        awaitActive(pageserver);
        first = end(primary);
        Map<String, String> settings = image(pageserver, first);
        assertEquals("german", settings.get(SEARCH));
        assertEquals("Europe/Rome", settings.get("TimeZone"));
        assertEquals("ISO, MDY", settings.get("DateStyle"), "no role's own");
        assertEquals("1234", settings.get("pg_stat_statements.max"));
        assertEquals("use_column", settings.get("plpgsql.variable_conflict"));
        assertEquals("acme's", settings.get("myapp.tenant"));
        assertEquals("0.7", settings.get("pg_trgm.similarity_threshold"));
        assertNull(settings.get("plpgsql.extra_errors"));
        assertNull(settings.get("log_min_messages"));
        assertNull(settings.get("client_encoding"));
        assertNull(settings.get("shared_preload_libraries"), "this role may not see it");

        // WAL says nothing of it: whoever sets it and notes the LSN finds it there all the same.
        primary.execute("postgres", "create table t (id int)");
        set(primary, "french");
        second = end(primary);
        assertEquals("french", image(pageserver, second).get(SEARCH));
        assertEquals("french", image(pageserver, 0).get(SEARCH));
        assertEquals("german", image(pageserver, first).get(SEARCH));

        // The table names the one; the other is one of the timeline's own.
        primary.execute(
            "postgres",
            "load 'plpgsql'",
            "alter system set plpgsql.extra_errors = 'too_many_rows'");
        primary.execute("postgres", "alter system set myapp.tenant = 'globex'");
        set(primary, "swedish");
        Map<String, String> later = image(pageserver, 0);
        assertEquals("too_many_rows", later.get("plpgsql.extra_errors"));
        assertEquals("globex", later.get("myapp.tenant"));
        primary.execute("postgres", "alter system reset plpgsql.variable_conflict");
        set(primary, "french");
        assertNull(image(pageserver, 0).get("plpgsql.variable_conflict"));

        primary.execute("postgres", "insert into t values (1)");
        long last = end(primary);
        pageserver.await(TIMELINE, "published", status -> status.getPublishedLsn() >= last);
      }
      // What changes while no pageserver is there is found when one comes back.
      set(primary, "dutch");
      try (TestPageserver pageserver = start("a")) {
        awaitActive(pageserver);
        assertEquals("dutch", image(pageserver, end(primary)).get(SEARCH));
        primary.execute("postgres", "insert into t values (1)");
        long last = end(primary);
        pageserver.await(TIMELINE, "published", status -> status.getPublishedLsn() >= last);
        pageserver.detach(TIMELINE, false);
      }
      primary.stop();
      // From the object store alone.
      try (TestPageserver pageserver = start("b")) {
        var _ =
            ManagementServiceGrpc.newBlockingStub(pageserver.channel())
                .attachTimeline(
                    AttachTimelineRequest.newBuilder()
                        .setTenant(TestPageserver.TENANT)
                        .setTimeline(TIMELINE)
                        .build());
        assertEquals("german", image(pageserver, first).get(SEARCH));
        assertEquals("french", image(pageserver, second).get(SEARCH));
        assertEquals("dutch", image(pageserver, 0).get(SEARCH));
      }
    }
  }

  /** A role that reads the files' settings names those that nobody else does. */
  @Test
  void areFoundInFilesLater() throws Exception {
    try (PostgresServer primary = PostgresServer.builder(17).setting("autovacuum", "off").start();
        TestPageserver pageserver = start("a")) {
      pageserver.attach(TIMELINE, TestPageserver.primary(primary.port()));
      awaitActive(pageserver);
      primary.execute("postgres", "alter system set myapp.late = '42'");
      set(primary, "german");
      assertEquals("42", image(pageserver, 0).get("myapp.late"));
    }
  }

  /** Where no session is let in, a WAL sender is asked for each name of the table, once. */
  @Test
  void areAskedForWithoutASession() throws Exception {
    try (PostgresServer primary =
            PostgresServer.builder(17)
                .setting("autovacuum", "off")
                .setting("plperl.use_strict", "on")
                .start();
        TestPageserver pageserver = start("a")) {
      primary.execute("postgres", "create role copier login replication");
      Files.writeString(
          primary.dataDirectory().resolve("pg_hba.conf"),
          "host replication copier all trust\nhost all copier all reject\nhost all all all trust\n");
      set(primary, "german");
      pageserver.attach(TIMELINE, TestPageserver.primary(primary.port()).setUser("copier"));
      awaitActive(pageserver);
      assertEquals("on", image(pageserver, 0).get("plperl.use_strict"));
      set(primary, "french");
      assertEquals("on", image(pageserver, 0).get("plperl.use_strict"));
      assertEquals(
          1, primary.log().split("parameter \"pg_trgm.similarity_threshold\"", -1).length - 1);
    }
  }

  private static void configure(PostgresServer primary, String file, String line)
      throws IOException {
    Path path = primary.dataDirectory().resolve(file);
    if (!Files.isDirectory(path.getParent())) {
      Files.createDirectory(path.getParent());
      PostgresServer.own(path.getParent());
    }
    Files.writeString(path, line + "\n", StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    PostgresServer.own(path);
  }

  private TestPageserver start(String name) throws Exception {
    return TestPageserver.start(directory.resolve(name), store, EngineOptions.defaults());
  }

  private static void awaitActive(TestPageserver pageserver) throws InterruptedException {
    var _ =
        pageserver.await(
            TIMELINE,
            "receiving",
            status ->
                status.getState() == TimelineState.TIMELINE_STATE_ACTIVE
                    && status.getPrimaryLsn() != 0);
  }

  /** Sets it for all and returns when new connections have it. */
  private static void set(PostgresServer primary, String search) throws SQLException {
    primary.execute(
        "postgres",
        "alter system set " + SEARCH + " = '" + search + "'",
        "select pg_reload_conf()");
    primary.await(
        "select current_setting('" + SEARCH + "') = '" + search + "'", "the setting is read");
  }

  private static long end(PostgresServer primary) throws SQLException {
    return Long.parseLong(primary.query("postgres", "select pg_current_wal_flush_lsn() - '0/0'"));
  }

  private static Map<String, String> image(TestPageserver pageserver, long lsn) {
    Iterator<GetThinImageResponse> parts =
        PageServiceGrpc.newBlockingStub(pageserver.channel())
            .getThinImage(
                GetThinImageRequest.newBuilder()
                    .setTimeline(TestPageserver.TENANT + "/" + TIMELINE)
                    .setLsn(lsn)
                    .build());
    Map<String, String> settings = new TreeMap<>();
    parts
        .next()
        .getHeader()
        .getSettingsList()
        .forEach(setting -> settings.put(setting.getName(), setting.getValue()));
    parts.forEachRemaining(part -> {});
    return settings;
  }
}
