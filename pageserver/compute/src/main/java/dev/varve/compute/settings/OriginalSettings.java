package dev.varve.compute.settings;

import dev.varve.api.v1.Setting;
import dev.varve.api.v1.ThinImageHeader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.logging.Level;
import java.util.logging.Logger;
import java.util.regex.Pattern;

/**
 * The settings that an image brings along. Which of its original's those are is the pageserver's to
 * say; here those are left out that a copy holds back, and those that may keep PostgreSQL from
 * starting on another machine: a value in {@code postgresql.conf} that it refuses is the end of its
 * start (PostgreSQL 17 {@code ProcessConfigFileInternal} in src/backend/utils/misc/guc.c).
 */
public final class OriginalSettings {
  private static final Logger LOG = Logger.getLogger(OriginalSettings.class.getName());
  private static final Set<String> LIBRARIES =
      Set.of("shared_preload_libraries", "session_preload_libraries", "local_preload_libraries");
  private static final Set<String> LOCALES =
      Set.of("lc_messages", "lc_monetary", "lc_numeric", "lc_time");

  /** What every machine has. */
  private static final Set<String> COMMON_LOCALES = Set.of("", "C", "POSIX");

  /** What the official image has, too. */
  private static final Set<String> USUAL_LOCALES =
      Set.of("C.UTF-8", "C.utf8", "en_US.UTF-8", "en_US.utf8");

  /** Values that every PostgreSQL takes, of settings that are not only a choice or a number. */
  private static final Map<String, Set<String>> COMMON =
      Map.of(
          "timezone", Set.of("UTC", "Etc/UTC", "GMT"),
          "timezone_abbreviations", Set.of("Default"),
          "default_toast_compression", Set.of("pglz"),
          "restrict_nonsystem_relation_kind", Set.of());

  private static final Pattern NAME =
      Pattern.compile("[A-Za-z_][A-Za-z0-9_$]*(\\.[A-Za-z_][A-Za-z0-9_$]*)*");

  private OriginalSettings() {}

  /** Those that are taken over, by name in lower case. */
  static Map<String, String> of(Path data, ThinImageHeader header, ServerOptions options)
      throws IOException {
    Map<String, String> taken = new LinkedHashMap<>();
    for (Setting setting : header.getSettingsList()) {
      String name = setting.getName().toLowerCase(Locale.ROOT);
      String value = setting.getValue();
      if (!NAME.matcher(name).matches()) {
        LOG.log(Level.INFO, "not taken over, for its name cannot be written: {0}", name);
      } else if (LIBRARIES.contains(name)) {
        if (options.allowed().contains(Allowance.PRELOADED_LIBRARIES)) {
          taken.put(name, value);
        } else if (!value.isEmpty()) {
          left("held back: {0} = ''{1}'' of the original (allow preloaded-libraries)", name, value);
        }
      } else if (options.checked() || isThere(data, name, value)) {
        if (!options.refused().contains(name)) {
          taken.put(name, value);
        }
      } else {
        left("left out, for this machine may lack it: {0} = ''{1}''", name, value);
      }
    }
    return taken;
  }

  private static void left(String what, String name, String value) {
    LOG.log(Level.INFO, what, new Object[] {name, value});
  }

  /**
   * Whether a machine that nobody can ask has a locale: an ordinary one, or one that some database
   * uses, which nobody could connect to otherwise.
   */
  private static boolean isThere(Path data, String name, String value) throws IOException {
    return !LOCALES.contains(name)
        || COMMON_LOCALES.contains(value)
        || USUAL_LOCALES.contains(value)
        || isLocaleOfDatabase(data, value);
  }

  /** Looks for it among the rows of {@code pg_database}, where it is text with a short header. */
  private static boolean isLocaleOfDatabase(Path data, String locale) throws IOException {
    byte[] text = locale.getBytes(StandardCharsets.UTF_8);
    byte[] rows = Files.readAllBytes(SharedCatalog.file(data, SharedCatalog.PG_DATABASE));
    String whole = new String(rows, StandardCharsets.ISO_8859_1);
    String header = String.valueOf((char) ((text.length + 1 << 1 | 1) & 0xFF));
    return whole.contains(header + new String(text, StandardCharsets.ISO_8859_1));
  }

  /** Whether PostgreSQL may refuse something of it, so that it should be asked. */
  public static boolean mayBeRefused(ThinImageHeader header) {
    for (Setting setting : header.getSettingsList()) {
      String name = setting.getName().toLowerCase(Locale.ROOT);
      Set<String> common = LOCALES.contains(name) ? COMMON_LOCALES : COMMON.get(name);
      if (common != null && !common.contains(setting.getValue())) {
        return true;
      }
    }
    return false;
  }

  /** The names in lower case. */
  public static List<String> names(ThinImageHeader header) {
    return header.getSettingsList().stream()
        .map(setting -> setting.getName().toLowerCase(Locale.ROOT))
        .toList();
  }
}
