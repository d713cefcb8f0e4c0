package dev.varve.operator;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.smallrye.config.WithDefault;
import java.io.IOException;
import java.lang.reflect.Method;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/** docs/operations/install.md has one line for each setting, with its default. */
final class SettingsDocumentTest {
  private static final Path DOCUMENT = Path.of("../docs/operations/install.md");

  @Test
  void documentSaysWhatTheCodeDoes() throws IOException {
    Map<String, String> documented = new TreeMap<>();
    for (String line : Files.readAllLines(DOCUMENT)) {
      if (line.startsWith("| `VARVE_OPERATOR_")) {
        String[] cells = line.split(" *\\| *", -1);
        documented.put(cells[1].replace("`", ""), cells[2].replace("`", ""));
      }
    }
    Map<String, String> wanted = new TreeMap<>();
    for (Method method : OperatorConfig.class.getDeclaredMethods()) {
      WithDefault byDefault = method.getAnnotation(WithDefault.class);
      wanted.put(
          "VARVE_OPERATOR_"
              + method.getName().replaceAll("([a-z0-9])([A-Z])", "$1_$2").toUpperCase(Locale.ROOT),
          byDefault == null ? "none" : byDefault.value());
    }
    assertEquals(wanted, documented);
  }
}
