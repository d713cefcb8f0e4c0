package dev.varve.engine.ingest;

import dev.varve.engine.postgres.ForkNumber;
import dev.varve.engine.postgres.RelFileLocator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * What a file of a base backup is, by its path below the data directory. Follows PostgreSQL 17
 * {@code src/common/relpath.c} and {@code src/backend/backup/basebackup.c}.
 */
sealed interface BackupPath {
  /** One segment of a relation fork; segments are numbered from 0. */
  record RelationSegment(RelFileLocator locator, int fork, int segment) implements BackupPath {}

  /** A database directory's {@code PG_VERSION}. */
  record DatabaseVersion(int tablespaceOid, int databaseOid) implements BackupPath {}

  /** A {@code pg_filenode.map}; database 0 is the shared one. */
  record RelationMap(int tablespaceOid, int databaseOid) implements BackupPath {}

  /** A segment of an SLRU, numbered as in {@code ClusterEffects}. */
  record SlruSegment(int slru, int segment) implements BackupPath {}

  /** The state file of a prepared transaction. */
  record TwoPhase(long xid) implements BackupPath {}

  /** The history file of a TLI. */
  record History(int tli) implements BackupPath {}

  /** A file that is known by its name. */
  enum Named implements BackupPath {
    VERSION,
    CONTROL_FILE,
    BACKUP_LABEL,
    TABLESPACE_MAP,
    REPLICATION_ORIGINS
  }

  /** How many blocks a relation segment holds when it is full ({@code RELSEG_SIZE}). */
  int BLOCKS_PER_SEGMENT = 131072;

  /** The last segment of the largest relation ({@code MaxBlockNumber}). */
  int MAX_SEGMENT = 32767;

  /** An OID or number as PostgreSQL prints it: any other spelling is nobody's file. */
  String NUMBER = "([1-9][0-9]{0,9})";

  Pattern RELATION = Pattern.compile(NUMBER + "(?:_(fsm|vm|init))?(?:\\.([1-9][0-9]{0,4}))?");
  Pattern DATABASE = Pattern.compile("base/" + NUMBER + "/(.+)");
  Pattern TABLESPACE =
      Pattern.compile("pg_tblspc/" + NUMBER + "/PG_[0-9]+_[0-9]+/" + NUMBER + "/(.+)");
  Pattern TABLESPACE_ROOT = Pattern.compile("pg_tblspc/" + NUMBER + "(?:/.*)?");
  Pattern SLRU =
      Pattern.compile(
          "(pg_xact|pg_multixact/offsets|pg_multixact/members|pg_commit_ts)/([0-9A-F]{4,6})");
  Pattern HISTORY = Pattern.compile("pg_wal/([0-9A-F]{8})\\.history");
  Pattern TWO_PHASE = Pattern.compile("pg_twophase/([0-9A-F]{8}|[0-9A-F]{16})");

  /**
   * What the path names; null for what is not kept: configuration, statistics, WAL, temporary
   * files.
   */
  static @Nullable BackupPath parse(String path) {
    BackupPath named =
        switch (path) {
          case "PG_VERSION" -> Named.VERSION;
          case "global/pg_control" -> Named.CONTROL_FILE;
          case "backup_label" -> Named.BACKUP_LABEL;
          case "tablespace_map" -> Named.TABLESPACE_MAP;
          case "pg_logical/replorigin_checkpoint" -> Named.REPLICATION_ORIGINS;
          default -> null;
        };
    if (named != null) {
      return named;
    }
    if (path.startsWith("global/")) {
      return inDirectory(RelFileLocator.GLOBAL_TABLESPACE, 0, path.substring(7));
    }
    Matcher database = DATABASE.matcher(path);
    if (database.matches() && isOid(database.group(1))) {
      return inDirectory(
          RelFileLocator.DEFAULT_TABLESPACE, oid(database.group(1)), database.group(2));
    }
    Matcher tablespace = TABLESPACE.matcher(path);
    if (tablespace.matches() && isOid(tablespace.group(1)) && isOid(tablespace.group(2))) {
      return inDirectory(oid(tablespace.group(1)), oid(tablespace.group(2)), tablespace.group(3));
    }
    Matcher history = HISTORY.matcher(path);
    if (history.matches()) {
      return new History(Integer.parseUnsignedInt(history.group(1), 16));
    }
    Matcher slru = SLRU.matcher(path);
    if (slru.matches()) {
      int number =
          switch (slru.group(1)) {
            case "pg_xact" -> 0;
            case "pg_multixact/offsets" -> 1;
            case "pg_multixact/members" -> 2;
            default -> 3;
          };
      return new SlruSegment(number, Integer.parseInt(slru.group(2), 16));
    }
    Matcher twoPhase = TWO_PHASE.matcher(path);
    return twoPhase.matches() ? new TwoPhase(Long.parseUnsignedLong(twoPhase.group(1), 16)) : null;
  }

  private static @Nullable BackupPath inDirectory(int tablespace, int database, String name) {
    if (name.equals("PG_VERSION")) {
      return new DatabaseVersion(tablespace, database);
    }
    if (name.equals("pg_filenode.map")) {
      return new RelationMap(tablespace, database);
    }
    Matcher relation = RELATION.matcher(name);
    if (!relation.matches() || !isOid(relation.group(1))) {
      return null;
    }
    int fork =
        switch (relation.group(2)) {
          case null -> ForkNumber.MAIN;
          case "fsm" -> ForkNumber.FREE_SPACE_MAP;
          case "vm" -> ForkNumber.VISIBILITY_MAP;
          default -> ForkNumber.INIT;
        };
    int segment = relation.group(3) == null ? 0 : Integer.parseInt(relation.group(3));
    if (segment > MAX_SEGMENT) {
      return null;
    }
    return new RelationSegment(
        new RelFileLocator(tablespace, database, oid(relation.group(1))), fork, segment);
  }

  /**
   * The OID of the tablespace that a path lies in, or is the directory of; null for other paths.
   */
  static @Nullable Integer tablespace(String path) {
    Matcher root = TABLESPACE_ROOT.matcher(path);
    return root.matches() && isOid(root.group(1)) ? (Integer) oid(root.group(1)) : null;
  }

  private static boolean isOid(String digits) {
    return Long.parseLong(digits) <= 0xFFFF_FFFFL;
  }

  private static int oid(String digits) {
    return Integer.parseUnsignedInt(digits);
  }
}
