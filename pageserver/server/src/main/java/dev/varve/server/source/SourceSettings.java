package dev.varve.server.source;

import dev.varve.engine.PageserverException.InvalidRequest;
import dev.varve.engine.tenant.TimelineName;
import java.util.Objects;
import java.util.regex.Pattern;

/**
 * Where a primary is and how to be let in. {@code user} needs the {@code REPLICATION} attribute and
 * a {@code replication} line in pg_hba.conf; {@code database} is only asked for the reasons of a
 * refusal.
 *
 * @param slot name of the physical replication slot: 1 to 63 of {@code [a-z0-9_]}
 * @param synchronous whether {@code synchronous_standby_names} may count it: commits that wait for
 *     a synchronous standby then wait until they are published
 */
public record SourceSettings(
    String host,
    int port,
    String user,
    String password,
    String database,
    SslMode sslMode,
    String slot,
    boolean synchronous,
    WalRetention retention) {
  /** Asked where no other is named. */
  static final String DEFAULT_DATABASE = "postgres";

  /** What a URL or a connection string has and no host. */
  private static final String NO_HOST = "/@?=[] \t\n";

  private static final Pattern SLOT = Pattern.compile("[a-z0-9_]{1,63}");

  public SourceSettings {
    require(!host.isBlank(), "the primary's host is empty");
    // Not repeated: it may hold a password.
    require(
        NO_HOST.chars().noneMatch(character -> host.indexOf(character) >= 0),
        "the primary's host is not a host name or an IP address and nothing else: leave out scheme,"
            + " user, password, brackets and blanks, and write the port into port");
    require(port >= 1 && port <= 65535, "the primary's port is " + port + "; expected 1 to 65535");
    require(
        !user.isEmpty() && user.indexOf(0) < 0, "the primary's user is empty or has a zero byte");
    require(
        !database.isEmpty() && database.indexOf(0) < 0,
        "the primary's database is empty or has a zero byte");
    require(password.indexOf(0) < 0, "the primary's password has a zero byte");
    require(
        SLOT.matcher(slot).matches(),
        "slot '"
            + slot
            + "' is not a slot name: 1 to 63 lower-case letters, digits and underscores");
    Objects.requireNonNull(retention, "the bound of the WAL that the primary keeps is missing");
  }

  /**
   * With defaults for what is empty or 0: port 5432, database {@code postgres}, a slot named after
   * the timeline. A shard's slot has its index behind.
   */
  public static SourceSettings of(
      TimelineName id,
      String host,
      int port,
      String user,
      String password,
      String database,
      SslMode sslMode,
      String slot) {
    return new SourceSettings(
        host,
        port == 0 ? 5432 : port,
        user,
        password,
        database.isEmpty() ? DEFAULT_DATABASE : database,
        sslMode,
        (slot.isEmpty() ? "varve_" + id.timeline().replace('-', '_') : slot)
            + (id.shard().coversAll() ? "" : "_" + id.shard().index()),
        false,
        WalRetention.UNBOUNDED);
  }

  /** The same, with what the primary may be made to do for it. */
  public SourceSettings with(boolean synchronousStandby, WalRetention walRetention) {
    return new SourceSettings(
        host, port, user, password, database, sslMode, slot, synchronousStandby, walRetention);
  }

  private static void require(boolean holds, String message) {
    if (!holds) {
      throw new InvalidRequest(message);
    }
  }

  /** {@code host:port}, for messages. */
  public String address() {
    return host.indexOf(':') >= 0 ? "[" + host + "]:" + port : host + ":" + port;
  }

  /** Without the password. */
  @Override
  public String toString() {
    return user + "@" + address() + " sslmode=" + sslMode + " slot=" + slot;
  }
}
