package dev.varve.compute.settings;

import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * The settings by which a copy acts for nobody: no logical replication workers (PostgreSQL 17
 * {@code ApplyLauncherRegister} in src/backend/replication/logical/launcher.c starts none at 0), no
 * archiver, no standby, and no library of the original's that might have workers of its own.
 */
public final class CopyIsolation {
  private CopyIsolation() {}

  /**
   * @param own settings that the user asks for
   * @throws IllegalArgumentException when one of them does what is not allowed
   */
  public static void check(Map<String, String> own, Set<Allowance> allowed) {
    own.forEach((name, value) -> {
      String lower = name.toLowerCase(Locale.ROOT);
      for (Allowance allowance : Allowance.values()) {
        String held = allowance.held().get(lower);
        if (held != null && !held.equals(value) && !allowed.contains(allowance)) {
          throw new IllegalArgumentException(
              "the setting %s = '%s' would have a copy act for its original; allow it with %s"
                  .formatted(name, value, allowance.word()));
        }
      }
    });
  }

  /**
   * Puts what is held back into settings that will be written.
   *
   * @param major of PostgreSQL, which refuses names that it does not know
   */
  static void hold(Map<String, String> settings, Set<Allowance> allowed, int major) {
    for (Allowance allowance : Allowance.values()) {
      if (!allowed.contains(allowance)) {
        settings.putAll(allowance.held());
      }
    }
    if (major < 17) {
      settings.remove("sync_replication_slots");
    }
  }
}
