package dev.varve.server.source;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.testkit.PostgresServer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The table of settings names those of real servers, and docs/operations/copy.md repeats it. */
final class SettingsTableIT {
  private static final String LIBRARY_DIRECTORY =
      "select setting from pg_config() where name = 'PKGLIBDIR'";
  private static final Path DOCUMENT = Path.of("../../docs/operations/copy.md");

  @ParameterizedTest
  @ValueSource(ints = {15, 16, 17, 18})
  void namesEverySetting(int major) throws Exception {
    try (PostgresServer server = PostgresServer.builder(major).start()) {
      Set<String> missing = new TreeSet<>();
      String names = server.query("postgres", "select string_agg(name, ' ') from pg_settings");
      for (String name : names.split(" ", -1)) {
        if (SettingsTable.get().origin(name) == null) {
          missing.add(name);
        }
      }
      assertEquals(Set.of(), missing);
      assertNotNull(SettingsTable.get().origin("TimeZone"));
    }
  }

  /**
   * Of each library that comes with PostgreSQL: none of them is in SHOW ALL before it is loaded.
   */
  @ParameterizedTest
  @ValueSource(ints = {15, 16, 17, 18})
  void namesThoseOfLibraries(int major) throws Exception {
    try (PostgresServer server = PostgresServer.builder(major).start();
        Connection connection = server.connect("postgres");
        Statement statement = connection.createStatement();
        Stream<Path> files = Files.list(Path.of(server.query("postgres", LIBRARY_DIRECTORY)))) {
      for (Path file : files.filter(path -> path.toString().endsWith(".so")).sorted().toList()) {
        try {
          statement.execute("load '" + file + "'");
        } catch (SQLException e) {
          // A language that this machine lacks, or a library that only the postmaster loads.
        }
      }
      Set<String> missing = new TreeSet<>();
      List<String> names =
          PostgresServer.column(statement, "select name from pg_settings where name like '%.%'");
      assertTrue(names.contains("pg_trgm.similarity_threshold"), names.toString());
      for (String name : names) {
        if (SettingsTable.get().origin(name) == null) {
          missing.add(name);
        }
      }
      assertEquals(Set.of(), missing);
    }
  }

  @Test
  void documentRepeatsIt() throws Exception {
    List<String> wanted = new ArrayList<>();
    for (SettingsTable.Group group : SettingsTable.get().groups()) {
      wanted.add(
          "| %s | %s | `%s` |"
              .formatted(group.origin().word(), group.why(), String.join("` `", group.names())));
    }
    List<String> documented =
        Files.readAllLines(DOCUMENT).stream()
            .dropWhile(line -> !line.startsWith("| From"))
            .skip(2)
            .takeWhile(line -> line.startsWith("|"))
            .toList();
    assertEquals(String.join("\n", wanted), String.join("\n", documented));
  }
}
