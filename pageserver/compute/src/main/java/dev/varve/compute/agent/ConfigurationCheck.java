package dev.varve.compute.agent;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Has PostgreSQL read a data directory's configuration without starting on it ({@code postgres -C},
 * PostgreSQL 17 {@code PostmasterMain}), to learn what it would refuse. Costs some milliseconds.
 */
final class ConfigurationCheck {
  /** Messages of {@code set_config_option} and of {@code ProcessConfigFileInternal} in guc.c. */
  private static final Pattern REFUSAL =
      Pattern.compile("(?:invalid value for|unrecognized configuration) parameter \"([^\"]+)\"");

  private ConfigurationCheck() {}

  /**
   * Names, in lower case, of the settings that are refused; empty when all is well, and when it
   * ended for another reason, which a start will tell.
   *
   * @param command what starts PostgreSQL, up to its first argument
   */
  static Set<String> refused(List<String> command, Path data)
      throws IOException, InterruptedException {
    List<String> whole = new java.util.ArrayList<>(command);
    whole.addAll(List.of("-D", data.toString(), "-C", "port"));
    ProcessBuilder builder = new ProcessBuilder(whole).redirectErrorStream(true);
    builder.environment().put("LC_ALL", "C");
    Process process = builder.start();
    process.getOutputStream().close();
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    Set<String> names = new TreeSet<>();
    if (process.waitFor() != 0) {
      Matcher refusal = REFUSAL.matcher(said);
      while (refusal.find()) {
        names.add(refusal.group(1).toLowerCase(Locale.ROOT));
      }
    }
    return names;
  }
}
