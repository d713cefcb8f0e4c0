package dev.varve.bench;

import java.util.HashMap;
import java.util.Map;

/** Options {@code --name number} of a benchmark's command line. */
final class Arguments {
  private final Map<String, Integer> values = new HashMap<>();

  Arguments(String... arguments) {
    for (int i = 0; i < arguments.length; i += 2) {
      if (!arguments[i].startsWith("--") || i + 1 == arguments.length) {
        throw new IllegalArgumentException("options are --name number, not " + arguments[i]);
      }
      values.put(arguments[i].substring(2), Integer.valueOf(arguments[i + 1]));
    }
  }

  /** The option's value; each is asked for once. */
  int get(String name, int otherwise) {
    Integer value = values.remove(name);
    return value == null ? otherwise : value;
  }

  /** Rejects what was not asked for. */
  void done() {
    if (!values.isEmpty()) {
      throw new IllegalArgumentException("unknown options " + values.keySet());
    }
  }
}
