package dev.varve.local;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.testkit.RootMount;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;

/** What README tells everybody to run first, as short as it gets, but for the build. */
final class LocalRunIT {
  @Test
  @EnabledIf(value = RootMount.CHECK, disabledReason = RootMount.NEEDS)
  void goesThroughAndTellsItsTimes() throws Exception {
    Process run =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin/java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "--sun-misc-unsafe-memory-access=allow",
                "-Dvarve.root=" + Path.of("../..").toAbsolutePath().normalize(),
                "-cp",
                System.getProperty("java.class.path"),
                LocalRun.class.getName(),
                "--scale",
                "1",
                "--seconds",
                "1",
                "--starts",
                "1")
            .redirectErrorStream(true)
            .start();
    String said = new String(run.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, run.waitFor(), said);
    for (String line :
        List.of(
            "attach",
            "received under load",
            "published behind received",
            "second PostgreSQL: start to first row",
            "start to first row, stock PostgreSQL, warm",
            "pageserver start to serving, from the object store alone",
            "third PostgreSQL: start to first row",
            "start to first row, on a pageserver that runs",
            "start to first row, on a node agent's volume",
            "node agent memory",
            "pageserver memory")) {
      assertTrue(said.lines().anyMatch(one -> one.matches("\\Q" + line + "\\E +\\S.*\\d.*")), said);
    }
  }
}
