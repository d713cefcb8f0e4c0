package dev.varve.compute.settings;

import java.nio.file.Path;
import java.util.Map;
import java.util.Set;

/**
 * What the user of a compute and the way it is run ask for.
 *
 * @param sockets directory of PostgreSQL's Unix sockets
 * @param own PostgreSQL settings, which win over all but what is held back and what the data need
 * @param allowed what is not held back
 * @param hba lines of {@code pg_hba.conf} that come first; may be empty
 * @param checked whether PostgreSQL is asked what it refuses before it starts
 * @param refused settings of the original, by name in lower case, that it refuses
 */
public record ServerOptions(
    Path sockets,
    int port,
    Map<String, String> own,
    Set<Allowance> allowed,
    String hba,
    boolean checked,
    Set<String> refused) {
  /** The same without some settings of the original. */
  public ServerOptions without(Set<String> names) {
    return new ServerOptions(sockets, port, own, allowed, hba, checked, names);
  }
}
