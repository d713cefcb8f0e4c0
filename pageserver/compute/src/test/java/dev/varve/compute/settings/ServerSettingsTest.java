package dev.varve.compute.settings;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.api.v1.Setting;
import dev.varve.api.v1.ThinImageHeader;
import dev.varve.compute.image.ComputeDirectory;
import dev.varve.compute.image.ImageLayout;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is written for which data directory, original and user. */
final class ServerSettingsTest {
  @TempDir Path data;

  private final ThinImageHeader.Builder header = ThinImageHeader.newBuilder().setPostgresMajor(17);
  private final ByteBuffer control = ByteBuffer.allocate(8192).order(ByteOrder.LITTLE_ENDIAN);
  private Set<Allowance> allowed = Set.of();
  private boolean checked;

  @BeforeEach
  void makeDirectory() throws IOException {
    Files.createDirectories(data.resolve("global"));
    Files.createDirectories(data.resolve("pg_twophase"));
    Files.createDirectories(data.resolve("pg_logical"));
    control.putInt(228, 16 << 20);
    ByteBuffer map = ByteBuffer.allocate(524).order(ByteOrder.LITTLE_ENDIAN);
    map.putInt(0x592717).putInt(2).putInt(1213).putInt(1213).putInt(1262).putInt(4711);
    Files.write(data.resolve("global/pg_filenode.map"), map.array());
    Files.write(
        data.resolve("global/4711"), "....\27de_DE.utf8....".getBytes(StandardCharsets.ISO_8859_1));
  }

  private void original(String name, String value) {
    header.addSettings(Setting.newBuilder().setName(name).setValue(value));
  }

  private Map<String, String> settings(String... own) throws IOException {
    Files.write(data.resolve("global/pg_control"), control.array());
    Map<String, String> wanted = new java.util.LinkedHashMap<>();
    for (int i = 0; i < own.length; i += 2) {
      wanted.put(own[i], own[i + 1]);
    }
    return ServerSettings.of(
        data,
        header.build(),
        new ServerOptions(
            Path.of("/run"), 5432, wanted, allowed, "", checked, Set.of("lc_monetary")));
  }

  @Test
  void aValueInAnotherEncodingIsWrittenAsItsBytes() {
    assertEquals(
        "search_path = '\"Gr\\366\\337e\", it''s, \\\\, \\n'\n",
        ServerSettings.line("search_path", "\"Gr\uF7F6\uF7DFe\", it's, \\, \n"));
  }

  @Test
  void theUsersWinOverTheOriginalsAndWhatIsHeldBackOverBoth() throws IOException {
    original("TimeZone", "Asia/Tokyo");
    original("DateStyle", "SQL, DMY");
    Map<String, String> all = settings("Timezone", "UTC", "shared_buffers", "1GB");
    assertEquals("UTC", all.get("timezone"));
    assertEquals("SQL, DMY", all.get("datestyle"));
    assertEquals("1GB", all.get("shared_buffers"));
    assertEquals("0", all.get("max_logical_replication_workers"));
    assertEquals("off", all.get("archive_mode"));
    assertEquals("off", all.get("sync_replication_slots"));
    header.setPostgresMajor(16);
    assertNull(settings().get("sync_replication_slots"), "16 does not know it");
    allowed = EnumSet.allOf(Allowance.class);
    assertNull(settings().get("max_logical_replication_workers"), "PostgreSQL's own default");
    assertEquals("on", settings("archive_mode", "on").get("archive_mode"));
  }

  @Test
  void whatAnotherMachineMayLackIsLeftOut() throws IOException {
    original("lc_messages", "de_DE.utf8");
    original("lc_time", "fr_FR.utf8");
    original("lc_numeric", "en_US.UTF-8");
    original("lc_monetary", "C");
    original("bad name", "x");
    Map<String, String> unasked = settings();
    assertEquals("de_DE.utf8", unasked.get("lc_messages"), "a database has it");
    assertNull(unasked.get("lc_time"));
    assertEquals("en_US.UTF-8", unasked.get("lc_numeric"), "the official image has it");
    assertNull(unasked.get("bad name"));
    checked = true;
    assertEquals("fr_FR.utf8", settings().get("lc_time"));
    assertNull(settings().get("lc_monetary"), "PostgreSQL was asked and refuses it");
  }

  @Test
  void onlyWhatMayBeRefusedIsAskedFor() {
    original("lc_time", "C");
    original("TimeZone", "Etc/UTC");
    original("DateStyle", "SQL, DMY");
    assertFalse(OriginalSettings.mayBeRefused(header.build()));
    original("timezone", "Asia/Tokyo");
    assertTrue(OriginalSettings.mayBeRefused(header.build()));
  }

  @Test
  void librariesWantToBeAllowed() throws IOException {
    original("shared_preload_libraries", "pg_cron");
    assertNull(settings().get("shared_preload_libraries"));
    assertEquals(
        "mine", settings("shared_preload_libraries", "mine").get("shared_preload_libraries"));
    allowed = Set.of(Allowance.PRELOADED_LIBRARIES);
    assertEquals("pg_cron", settings().get("shared_preload_libraries"));
  }

  @Test
  void segmentsMakeWalLarger() throws IOException {
    assertEquals("80MB", settings().get("min_wal_size"));
    assertEquals("1024MB", settings().get("max_wal_size"));
    control.putInt(228, 1 << 30);
    assertEquals("2048MB", settings().get("min_wal_size"));
    assertEquals("4096MB", settings().get("max_wal_size"));
    assertEquals("2048MB", settings("min_wal_size", "1GB").get("min_wal_size"));
    assertEquals("2048MB", settings("max_wal_size", "2000").get("max_wal_size"));
    assertEquals("2048MB", settings("max_wal_size", "2000000 kB").get("max_wal_size"));
    assertEquals("3GB", settings("max_wal_size", "3GB").get("max_wal_size"));
    assertEquals("nonsense", settings("max_wal_size", "nonsense").get("max_wal_size"));
  }

  @Test
  void preparedTransactionsAndTheirLocksHaveRoom() throws IOException {
    for (int i = 0; i < 5; i++) {
      Files.write(data.resolve("pg_twophase/000000000000000" + i), new byte[320_000]);
    }
    Map<String, String> all = settings("max_connections", "20", "max_prepared_transactions", "1");
    assertEquals("5", all.get("max_prepared_transactions"));
    assertEquals("2000", all.get("max_locks_per_transaction"));
    assertEquals("2000", all.get("max_pred_locks_per_transaction"));
    control.putInt(192, 50).putInt(196, 5000);
    all = settings();
    assertEquals("50", all.get("max_prepared_transactions"));
    assertEquals("5000", all.get("max_locks_per_transaction"));
    assertEquals("334", all.get("max_pred_locks_per_transaction"));
  }

  @Test
  void originsHaveRoom() throws IOException {
    Files.write(data.resolve("pg_logical/replorigin_checkpoint"), new byte[8 + 16 * 30]);
    assertEquals("30", settings().get("max_replication_slots"));
    assertEquals("30", settings("max_replication_slots", "2").get("max_replication_slots"));
    header.setPostgresMajor(18);
    assertEquals("30", settings().get("max_active_replication_origins"));
    assertNull(settings().get("max_replication_slots"));
  }

  @Test
  void combinationsThatPostgresRefuses() throws IOException {
    assertEquals("4", settings("max_connections", "2").get("max_connections"));
    assertEquals(
        "14",
        settings("max_connections", "14", "reserved_connections", "10").get("max_connections"));
    assertEquals("0", settings("wal_level", "minimal").get("max_wal_senders"));
    assertEquals(
        "0", settings("wal_level", "minimal", "max_wal_senders", "3").get("max_wal_senders"));
    assertEquals("10", settings().get("max_wal_senders"));
  }

  /** {@code sendDir} of PostgreSQL 17 basebackup.c leaves out names with this prefix. */
  @Test
  void whatHoldsOnThisMountIsNotInABaseBackup() throws IOException {
    Files.write(data.resolve("global/pg_control"), control.array());
    ServerSettings.write(
        new ImageLayout(new ComputeDirectory(data), true, 0, 0, false),
        data,
        header.build(),
        new ServerOptions(Path.of("/run"), 5432, Map.of(), Set.of(), "", false, Set.of()));
    String backedUp = Files.readString(data.resolve("postgresql.conf"));
    List<String> included =
        backedUp
            .lines()
            .filter(line -> line.startsWith("include"))
            .map(line -> line.replaceAll("include_if_exists = '(pgsql_tmp[^/]+)'", "$1"))
            .toList();
    assertEquals(1, included.size(), backedUp);
    String here = Files.readString(data.resolve(included.getFirst()));
    for (String name : List.of("fsync", "full_page_writes", "hot_standby")) {
      assertTrue(here.contains("\n" + name + " = 'off'\n"), here);
      assertFalse(backedUp.contains("\n" + name + " "), backedUp);
    }
    assertTrue(here.contains("\nunix_socket_directories = '/run'\n"), here);
    assertTrue(backedUp.contains("\nport = '5432'\n"), backedUp);
  }

  @Test
  void valuesAreQuoted() {
    assertEquals("a = 'it''s \\\\d\\n'\n", ServerSettings.line("a", "it's \\d\n"));
  }

  @Test
  void methodsOfPasswords() {
    assertTrue(ClientAuthentication.lines("", false).contains("host all all all md5\n"));
    assertTrue(ClientAuthentication.lines("", true).contains("host all all all scram-sha-256\n"));
    assertTrue(
        ClientAuthentication.lines("host a b c trust", false)
            .contains("yours to change.\nhost a b c trust\nlocal all"));
  }

  @Test
  void allowances() {
    assertEquals(Set.of(), Allowance.parse(" "));
    assertEquals(
        Set.of(Allowance.STANDBY, Allowance.ARCHIVING), Allowance.parse("standby, archiving"));
    assertThrows(IllegalArgumentException.class, () -> Allowance.parse("standby archiving"));
    assertThrows(
        IllegalArgumentException.class,
        () -> CopyIsolation.check(Map.of("Primary_ConnInfo", "host=x"), Set.of()));
    CopyIsolation.check(Map.of("archive_mode", "off"), Set.of());
    CopyIsolation.check(Map.of("archive_mode", "on"), Set.of(Allowance.ARCHIVING));
  }
}
