package dev.varve.server.source;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.engine.postgres.PostgresMajor;
import dev.varve.engine.tenant.TimelineName;
import dev.varve.server.source.SourceException.Kind;
import java.net.NoRouteToHostException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What is checked of a primary, with answers that no primary here would give. */
final class PrimarySourceTest {
  private static final PrimaryIdentity KNOWN =
      new PrimaryIdentity(
          0xFEDC_BA98_7654_3210L, PostgresMajor.of(18), 1, 16 << 20, 0x3_0000_0028L);

  private static Map<String, List<String>> answers() {
    return new HashMap<>(
        Map.of(
            "IDENTIFY_SYSTEM",
            List.of(Long.toUnsignedString(KNOWN.systemIdentifier()), "1", "3/28", ""),
            "SHOW wal_level",
            List.of("replica"),
            "SHOW block_size",
            List.of("8192"),
            "SHOW wal_segment_size",
            List.of("16MB")));
  }

  private static PrimaryIdentity identify(String version, Map<String, List<String>> answers)
      throws Exception {
    try (ScriptedPrimary primary = new ScriptedPrimary(version, answers)) {
      return new PrimarySource(primary.settings(), new Tls(null)).identify();
    }
  }

  private static void assertSays(SourceException e, Kind kind, String... parts) {
    assertEquals(kind, e.kind(), e.getMessage());
    for (String part : parts) {
      assertTrue(
          e.getMessage().contains(part), () -> "'" + part + "' is missing: " + e.getMessage());
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"18.6", "18beta1", "18.6 (Debian 18.6-1.pgdg13+1)", "18devel"})
  void knowsAPrimary(String version) throws Exception {
    assertEquals(KNOWN, identify(version, answers()));
  }

  @ParameterizedTest
  @ValueSource(strings = {"14.20", "9.6.24", "19devel", "", "EnterpriseDB"})
  void refusesOtherMajors(String version) {
    SourceException e = assertThrows(SourceException.class, () -> identify(version, answers()));
    assertSays(
        e, Kind.UNFIT, "runs PostgreSQL " + version, "supported majors are 15, 16, 17 and 18");
  }

  @Test
  void refusesOtherBlockSizes() {
    Map<String, List<String>> answers = answers();
    answers.put("SHOW block_size", List.of("32768"));
    SourceException e = assertThrows(SourceException.class, () -> identify("18.6", answers));
    assertSays(e, Kind.UNFIT, "block size of 32768", "only 8192 is supported");
  }

  @Test
  void aPortThatAServiceDoesNotHaveIsNamed() {
    SourceSettings settings =
        SourceSettings.of(
            new TimelineName("acme", "main"), "db", 5433, "varve", "", "", SslMode.DISABLE, "");
    SourceException e =
        new PrimarySource(settings, new Tls(null))
            .failure(new NoRouteToHostException("No route to host"));
    assertSays(e, Kind.UNREACHABLE, "db:5433 cannot be reached", "its host and port");
  }

  @ParameterizedTest
  @CsvSource({
    "IDENTIFY_SYSTEM, large",
    "SHOW wal_segment_size, large",
    "SHOW wal_segment_size, 4GB",
    "SHOW wal_segment_size, 9999999999TB"
  })
  void doesNotGuessAtNonsense(String command, String answer) {
    Map<String, List<String>> answers = answers();
    answers.put(command, List.of(answer));
    SourceException e = assertThrows(SourceException.class, () -> identify("18.6", answers));
    assertSays(e, Kind.UNREACHABLE, "answered nonsense");
  }

  /** What a connection pool answers: it takes commands, but not these. */
  @Test
  void tellsTheServersOwnError() {
    SourceException e = assertThrows(SourceException.class, () -> identify("18.6", Map.of()));
    assertSays(e, Kind.UNREACHABLE, "not in the script", "42601");
  }

  @Test
  void knowsTheClusterAgain() throws Exception {
    PrimarySource source = source();
    source.requireSameCluster(KNOWN, KNOWN);
    PrimaryIdentity later =
        new PrimaryIdentity(
            KNOWN.systemIdentifier(), PostgresMajor.of(18), 1, 16 << 20, 0x4_0000_0000L);
    source.requireSameCluster(KNOWN, later);
  }

  @Test
  void refusesToFollowAnother() {
    long id = KNOWN.systemIdentifier();
    assertRefusesToFollow(
        new PrimaryIdentity(id + 1, PostgresMajor.of(18), 1, 16 << 20, 0),
        "has system identifier " + Long.toUnsignedString(id + 1),
        "its own primary");
    assertRefusesToFollow(
        new PrimaryIdentity(id, PostgresMajor.of(17), 1, 16 << 20, 0),
        "runs PostgreSQL 17",
        "upgraded");
    assertRefusesToFollow(
        new PrimaryIdentity(id, PostgresMajor.of(18), 2, 16 << 20, 0),
        "is on PostgreSQL timeline 2",
        "promotion");
    assertRefusesToFollow(
        new PrimaryIdentity(id, PostgresMajor.of(18), 1, 1 << 20, 0),
        "WAL segments of 1048576",
        "name");
  }

  /** A standby that lags, or a primary that was set back to a backup. */
  @Test
  void waitsForWalThatIsNotThereYet() throws Exception {
    source().requireWal(KNOWN, KNOWN.walEndLsn());
    SourceException e =
        assertThrows(
            SourceException.class, () -> source().requireWal(KNOWN, KNOWN.walEndLsn() + 8));
    assertSays(e, Kind.UNREACHABLE, "has WAL up to 3/28 only", "up to 3/30", "a standby that lags");
  }

  private static void assertRefusesToFollow(PrimaryIdentity found, String... parts) {
    SourceException e =
        assertThrows(SourceException.class, () -> source().requireSameCluster(KNOWN, found));
    assertSays(e, Kind.OTHER_CLUSTER, parts);
  }

  private static PrimarySource source() {
    return new PrimarySource(
        SourceSettings.of(
            new TimelineName("acme", "main"), "db", 0, "postgres", "", "", SslMode.DISABLE, ""),
        new Tls(null));
  }
}
