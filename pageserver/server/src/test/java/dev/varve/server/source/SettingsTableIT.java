package dev.varve.server.source;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;

import dev.varve.testkit.PostgresServer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The table of settings names those of real servers, and docs/operations/copy.md repeats it. */
final class SettingsTableIT {
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
