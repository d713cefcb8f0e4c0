package dev.varve.server.source;

import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Whether a value of {@code synchronous_standby_names} counts a standby of some name. Follows
 * PostgreSQL 17 {@code src/backend/replication/syncrep_gram.y} and {@code
 * SyncRepGetStandbyPriority}: a list, or {@code FIRST n (list)}, {@code ANY n (list)}, {@code n
 * (list)}; names are compared without regard to case.
 */
final class SynchronousStandbyNames {
  private static final Pattern TOKEN = Pattern.compile("\"((?:[^\"]|\"\")*)\"|([^\\s,()\"]+)|\\(");

  private SynchronousStandbyNames() {}

  static boolean count(String value, String applicationName) {
    boolean counts = false;
    Matcher tokens = TOKEN.matcher(value);
    while (tokens.find()) {
      if (tokens.group().equals("(")) {
        // What came before was the method and the number.
        counts = false;
      } else {
        String quoted = tokens.group(1);
        String name = quoted == null ? tokens.group(2) : quoted.replace("\"\"", "\"");
        counts |=
            name.equals("*")
                || name.toLowerCase(Locale.ROOT).equals(applicationName.toLowerCase(Locale.ROOT));
      }
    }
    return counts;
  }
}
