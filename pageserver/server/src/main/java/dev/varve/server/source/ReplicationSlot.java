package dev.varve.server.source;

import dev.varve.engine.postgres.Lsn;
import dev.varve.server.source.SourceException.Kind;
import java.io.IOException;
import java.time.Duration;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The physical replication slot that makes one primary keep a timeline's WAL: makes it, checks it,
 * drops it, and says what it keeps. Every refusal becomes a {@link SourceException} that says what
 * to do. Stateless and thread-safe.
 */
public final class ReplicationSlot {
  private static final Duration RELEASE_TIMEOUT = Duration.ofSeconds(10);
  private static final long RELEASE_POLL_MILLIS = 20;

  private final PrimarySource source;

  ReplicationSlot(PrimarySource source) {
    this.source = source;
  }

  private String name() {
    return source.settings().slot();
  }

  /**
   * Makes the slot, which keeps WAL from now on, unless a usable one is there.
   *
   * @return what it keeps WAL from
   */
  public long create() throws SourceException {
    try (PostgresConnection connection = source.connect()) {
      Slot slot = read(connection);
      if (slot == null) {
        create(connection);
        slot = read(connection);
      }
      if (slot == null) {
        throw lost("was dropped as soon as it was made", null);
      }
      requireUsable(slot);
      return Lsn.parse(Objects.requireNonNull(slot.restart(), "a usable slot keeps WAL"));
    } catch (IllegalArgumentException e) {
      throw source.nonsense(e);
    }
  }

  private void create(PostgresConnection connection) throws SourceException {
    try {
      connection.query("CREATE_REPLICATION_SLOT " + quoted() + " PHYSICAL RESERVE_WAL");
    } catch (ServerError e) {
      switch (e.sqlState()) {
        // Somebody was faster: it is looked at like any other.
        case "42710" -> {}
        case "53400" -> throw source.noSlot(connection, e);
        default -> throw source.failure(e);
      }
    } catch (IOException e) {
      throw source.failure(e);
    }
  }

  /**
   * Drops the slot if there is one. The WAL sender of a connection that was just closed may still
   * have it: that is waited for. The server is not asked to wait ({@code DROP_REPLICATION_SLOT …
   * WAIT}): it would drop the slot however much later, when somebody else relies on it.
   */
  public void drop() throws SourceException {
    long deadline = System.nanoTime() + RELEASE_TIMEOUT.toNanos();
    try (PostgresConnection connection = source.connect()) {
      while (read(connection) != null) {
        try {
          connection.query("DROP_REPLICATION_SLOT " + quoted());
          return;
        } catch (ServerError e) {
          boolean inUse = e.sqlState().equals("55006");
          if (inUse && System.nanoTime() > deadline) {
            throw new SourceException(
                Kind.SLOT_IN_USE,
                source.at()
                    + ": "
                    + e.getMessage()
                    + " and cannot be dropped; end what uses it, or SELECT"
                    + " pg_drop_replication_slot('"
                    + name()
                    + "') later: it makes the primary keep WAL until then",
                e);
          }
          // Without the slot (42704) there is nothing to do.
          if (!inUse && !e.sqlState().equals("42704")) {
            throw source.failure(e);
          }
        }
        TimeUnit.MILLISECONDS.sleep(RELEASE_POLL_MILLIS);
      }
    } catch (IOException e) {
      throw source.failure(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new SourceException(Kind.SLOT_IN_USE, source.at() + ": interrupted", e);
    }
  }

  /** Connects once and asks what the slot makes the primary keep. */
  public SlotReport report() throws SourceException {
    try (PostgresConnection connection = source.connect()) {
      long walEndLsn = source.identify(connection).walEndLsn();
      Slot slot = read(connection);
      long restart = slot == null || slot.restart() == null ? 0 : Lsn.parse(slot.restart());
      return new SlotReport(restart, walEndLsn, source.limits(connection));
    } catch (IllegalArgumentException e) {
      throw source.nonsense(e);
    }
  }

  /** Fails unless the slot is there and still keeps WAL. */
  void require(PostgresConnection connection) throws SourceException {
    Slot slot = read(connection);
    if (slot == null) {
      throw lost("does not exist", null);
    }
    requireUsable(slot);
  }

  private void requireUsable(Slot slot) throws SourceException {
    if (!slot.type().equals("physical")) {
      throw new SourceException(
          Kind.UNFIT,
          source.at()
              + ": slot \""
              + name()
              + "\" is "
              + slot.type()
              + "; name another, or drop it for a physical one");
    }
    if (slot.restart() == null) {
      throw lost("keeps no WAL" + invalidation(), null);
    }
  }

  private @Nullable Slot read(PostgresConnection connection) throws SourceException {
    try {
      ResultRow row = PrimarySource.only(connection.query("READ_REPLICATION_SLOT " + quoted()));
      String type = row.get(0);
      return type == null ? null : new Slot(type, row.get(1));
    } catch (ServerError e) {
      // The command reads physical slots only.
      if (e.sqlState().equals("0A000")) {
        return new Slot("logical", null);
      }
      throw source.failure(e);
    } catch (IOException e) {
      throw source.failure(e);
    }
  }

  /** Why the slot keeps nothing, as far as an ordinary session is told; starts with a space. */
  private String invalidation() {
    String status =
        source.asSession(
            "SELECT wal_status FROM pg_replication_slots WHERE slot_name = '" + name() + "'");
    return status == null ? "" : " (wal_status " + status + ")";
  }

  SourceException lost(String what, @Nullable IOException cause) {
    return new SourceException(
        Kind.SLOT_LOST,
        source.at()
            + ": replication slot \""
            + name()
            + "\" "
            + what
            + "; drop it if it is there and SELECT pg_create_physical_replication_slot('"
            + name()
            + "', true): receiving goes on if the WAL is still there, else attach the primary under"
            + " another name; max_slot_wal_keep_size decides how soon a slot is given up",
        cause);
  }

  /**
   * Ends the connection through which another pageserver receives for this timeline, if PostgreSQL
   * lets us: one whose machine died keeps the slot until {@code wal_sender_timeout}. Anything else
   * that uses the slot is left alone.
   */
  void endOtherReceiver(String timeline) {
    source.asSession(
        "SELECT pg_terminate_backend(s.active_pid, 1000) FROM pg_replication_slots s"
            + " JOIN pg_stat_replication r ON r.pid = s.active_pid"
            + " WHERE s.slot_name = '"
            + name()
            + "' AND r.application_name = '"
            + PrimarySource.applicationName(timeline)
            + "'");
  }

  private String quoted() {
    return '"' + name() + '"';
  }

  /** What READ_REPLICATION_SLOT tells: a slot without a restart LSN keeps no WAL. */
  private record Slot(String type, @Nullable String restart) {}
}
