package dev.varve.server.config;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import io.quarkus.runtime.configuration.MemorySize;
import io.smallrye.config.WithDefault;
import java.io.IOException;
import java.lang.reflect.Method;
import java.lang.reflect.ParameterizedType;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/** docs/operations/configuration.md has one line for each setting, with its type and default. */
final class ConfigurationDocumentTest {
  private static final Path DOCUMENT = Path.of("../../docs/operations/configuration.md");
  private static final Map<Class<?>, String> TYPES =
      Map.of(
          String.class,
          "text",
          Path.class,
          "path",
          int.class,
          "number",
          boolean.class,
          "true or false",
          Duration.class,
          "duration",
          MemorySize.class,
          "size");

  @Test
  void documentSaysWhatTheCodeDoes() throws IOException {
    Map<String, String> documented = new TreeMap<>();
    for (String line : Files.readAllLines(DOCUMENT)) {
      if (line.startsWith("| `varve.")) {
        String[] cells = line.split(" *\\| *", -1);
        String key = cells[1].replace("`", "");
        assertFalse(cells[4].isBlank(), () -> key + " has no meaning");
        assertEquals(null, documented.put(key, cells[2] + ", " + cells[3]), "twice: " + key);
      }
    }
    Map<String, String> wanted = new TreeMap<>();
    settings(ServerConfig.class, "varve.", wanted);
    assertEquals(
        wanted.toString().replace(", varve.", "\nvarve."),
        documented.toString().replace(", varve.", "\nvarve."));
  }

  /** Each setting below {@code prefix} with its type and default, as the document writes them. */
  private static void settings(Class<?> group, String prefix, Map<String, String> into) {
    for (Method method : group.getDeclaredMethods()) {
      String key = prefix + kebab(method.getName());
      Class<?> type = method.getReturnType();
      if (type.isInterface() && type.getDeclaringClass() == ServerConfig.class) {
        settings(type, key + ".", into);
        continue;
      }
      if (type == Optional.class) {
        type =
            (Class<?>)
                ((ParameterizedType) method.getGenericReturnType()).getActualTypeArguments()[0];
      }
      String name = TYPES.get(type);
      if (name == null) {
        throw new AssertionError(key + " is of type " + type + ", for which there is no word");
      }
      WithDefault byDefault = method.getAnnotation(WithDefault.class);
      into.put(key, name + ", " + (byDefault == null ? "none" : "`" + byDefault.value() + "`"));
    }
  }

  private static String kebab(String name) {
    return name.replaceAll("([a-z0-9])([A-Z])", "$1-$2").toLowerCase(Locale.ROOT);
  }
}
