package dev.varve.compute.settings;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Settings whose least value follows from the data directory: with less, PostgreSQL 15 to 18 do not
 * start on it, or refuse a combination. Each is put where it is absent and raised where it is
 * lower. The numbers come from the control file (PostgreSQL 17 src/include/catalog/pg_control.h,
 * the same offsets in 15 to 18) and from the files that PostgreSQL reads at its start.
 */
final class DataLimits {
  private static final int WAL_LEVEL = 172;
  private static final int MAX_CONNECTIONS = 180;
  private static final int MAX_WORKER_PROCESSES = 184;
  private static final int MAX_WAL_SENDERS = 188;
  private static final int MAX_PREPARED_TRANSACTIONS = 192;
  private static final int MAX_LOCKS_PER_TRANSACTION = 196;
  private static final int TRACK_COMMIT_TIMESTAMP = 200;
  private static final int WAL_SEGMENT_BYTES = 228;
  private static final int WAL_LEVEL_LOGICAL = 2;

  /**
   * Lock and predicate-lock records of a prepared transaction's state file: {@code
   * TwoPhaseRecordOnDisk} (8 bytes) and 20 or 24 bytes aligned to 8 (src/backend/access/transam/
   * twophase.c, src/include/storage/lock.h, predicate_internals.h).
   */
  private static final int BYTES_PER_PREPARED_LOCK = 32;

  /** Magic and CRC, then this many for each origin: {@code ReplicationStateOnDisk}. */
  private static final int ORIGIN_BYTES = 16;

  private static final Pattern NUMBER = Pattern.compile("(\\d+)");
  private static final Pattern SIZE = Pattern.compile("(\\d+) *(kB|MB|GB|TB)?");

  private final Path data;
  private final int major;
  private final ByteBuffer control;
  private final Map<String, String> settings;
  private final Consumer<String> notes;

  private DataLimits(Path data, int major, Map<String, String> settings, Consumer<String> notes)
      throws IOException {
    this.data = data;
    this.major = major;
    this.control =
        ByteBuffer.wrap(Files.readAllBytes(data.resolve("global/pg_control")))
            .order(ByteOrder.LITTLE_ENDIAN);
    this.settings = settings;
    this.notes = notes;
  }

  /**
   * @param settings by name in lower case, those that the user asks for among them
   * @param notes takes a sentence for each that was raised
   */
  static void apply(Path data, int major, Map<String, String> settings, Consumer<String> notes)
      throws IOException {
    DataLimits limits = new DataLimits(data, major, settings, notes);
    limits.connections();
    limits.preparedTransactions();
    limits.origins();
    limits.wal();
  }

  /**
   * src/backend/postmaster/postmaster.c, {@code PostmasterMain}: the reserved ones are fewer than
   * all.
   */
  private void connections() {
    long reserved = number("superuser_reserved_connections", 3);
    if (major >= 16) {
      reserved += number("reserved_connections", 0);
    }
    atLeast("max_connections", reserved + 1, Math.max(100, control.getInt(MAX_CONNECTIONS)));
    settings.putIfAbsent(
        "max_worker_processes", "" + Math.max(8, control.getInt(MAX_WORKER_PROCESSES)));
  }

  /**
   * {@code restoreTwoPhaseData}: {@code maximum number of prepared transactions reached}. Their
   * locks are taken again, {@code lock_twophase_recover} and {@code predicatelock_twophase_recover}
   * ({@code out of shared memory}): the tables hold the per-transaction number times the backends
   * and prepared transactions. The control file does not have the original's {@code
   * max_pred_locks_per_transaction}.
   */
  private void preparedTransactions() throws IOException {
    long count = 0;
    long bytes = 0;
    Path directory = data.resolve("pg_twophase");
    if (Files.isDirectory(directory)) {
      try (DirectoryStream<Path> files = Files.newDirectoryStream(directory)) {
        for (Path file : files) {
          count++;
          bytes += Files.size(file);
        }
      }
    }
    atLeast(
        "max_prepared_transactions",
        count,
        Math.max(count, control.getInt(MAX_PREPARED_TRANSACTIONS)));
    long holders =
        Math.max(1, number("max_connections", 100) + number("max_prepared_transactions", 0));
    long locks = Math.ceilDiv(bytes / BYTES_PER_PREPARED_LOCK, holders);
    atLeast(
        "max_locks_per_transaction",
        locks,
        Math.max(Math.max(64, locks), control.getInt(MAX_LOCKS_PER_TRANSACTION)));
    atLeast("max_pred_locks_per_transaction", locks, Math.max(64, locks));
  }

  /**
   * src/backend/replication/logical/origin.c, {@code StartupReplicationOrigin}: {@code could not
   * find free replication state}. Up to 17 the slots' number is the origins', too.
   */
  private void origins() throws IOException {
    Path file = data.resolve("pg_logical/replorigin_checkpoint");
    long origins = Files.exists(file) ? Files.size(file) / ORIGIN_BYTES : 0;
    atLeast(
        major >= 18 ? "max_active_replication_origins" : "max_replication_slots",
        origins,
        Math.max(10, origins));
  }

  /**
   * src/backend/access/transam/xlog.c, {@code ReadControlFile}: both sizes are two segments or
   * more. postmaster.c: no WAL senders and no summaries at {@code wal_level} minimal.
   */
  private void wal() {
    long segmentMegabytes = control.getInt(WAL_SEGMENT_BYTES) >> 20;
    atLeastMegabytes("min_wal_size", 2 * segmentMegabytes, Math.max(80, 2 * segmentMegabytes));
    atLeastMegabytes("max_wal_size", 2 * segmentMegabytes, Math.max(1024, 4 * segmentMegabytes));
    settings.putIfAbsent(
        "wal_level", control.getInt(WAL_LEVEL) >= WAL_LEVEL_LOGICAL ? "logical" : "replica");
    boolean minimal = settings.getOrDefault("wal_level", "").equalsIgnoreCase("minimal");
    if (minimal && number("max_wal_senders", 0) > 0) {
      notes.accept("max_wal_senders is 0, for wal_level is minimal");
      settings.put("max_wal_senders", "0");
    }
    settings.putIfAbsent(
        "max_wal_senders", minimal ? "0" : "" + Math.max(10, control.getInt(MAX_WAL_SENDERS)));
    settings.putIfAbsent(
        "track_commit_timestamp", control.get(TRACK_COMMIT_TIMESTAMP) != 0 ? "on" : "off");
  }

  private void atLeast(String name, long least, long otherwise) {
    String given = settings.get(name);
    Long number = given == null ? null : number(given);
    if (given == null) {
      settings.put(name, "" + Math.max(least, otherwise));
    } else if (number != null && number < least) {
      raise(name, given, "" + least);
    }
  }

  private void atLeastMegabytes(String name, long least, long otherwise) {
    String given = settings.get(name);
    Double megabytes = given == null ? null : megabytes(given);
    if (given == null) {
      settings.put(name, otherwise + "MB");
    } else if (megabytes != null && megabytes < least) {
      raise(name, given, least + "MB");
    }
  }

  private void raise(String name, String given, String least) {
    notes.accept(name + " is " + least + " instead of " + given + ": the data need it");
    settings.put(name, least);
  }

  private long number(String name, long otherwise) {
    String given = settings.get(name);
    Long number = given == null ? null : number(given);
    return number == null ? otherwise : number;
  }

  /** Null for what PostgreSQL is left to judge. */
  private static @Nullable Long number(String text) {
    Matcher matcher = NUMBER.matcher(text.strip());
    return matcher.matches() && matcher.group(1).length() < 18
        ? Long.valueOf(matcher.group(1))
        : null;
  }

  /** A size whose unit is megabytes when it has none; null for what PostgreSQL is left to judge. */
  private static @Nullable Double megabytes(String text) {
    Matcher matcher = SIZE.matcher(text.strip());
    if (!matcher.matches()) {
      return null;
    }
    double number = Double.parseDouble(matcher.group(1));
    int power =
        matcher.group(2) == null ? 1 : List.of("kB", "MB", "GB", "TB").indexOf(matcher.group(2));
    return number * Math.pow(1024, power - 1);
  }
}
