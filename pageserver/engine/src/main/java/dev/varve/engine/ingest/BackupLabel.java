package dev.varve.engine.ingest;

import dev.varve.engine.PageserverException;
import dev.varve.engine.postgres.Lsn;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What a base backup's {@code backup_label} says. Follows PostgreSQL 17 {@code
 * build_backup_content} in {@code src/backend/access/transam/xlogbackup.c}.
 *
 * @param startLsn where redo has to start
 * @param tli the PostgreSQL timeline that the backup was taken on
 * @param fromStandby whether it was taken of a standby: no record says then where it ends
 */
record BackupLabel(long startLsn, int tli, boolean fromStandby) {
  private static final Pattern START =
      Pattern.compile(
          "(?m)^START WAL LOCATION: ([0-9A-F]{1,8}/[0-9A-F]{1,8}) \\(file [0-9A-F]{24}\\)$");
  private static final Pattern STANDBY = Pattern.compile("(?m)^BACKUP FROM: standby$");
  private static final Pattern TLI = Pattern.compile("(?m)^START TIMELINE: ([0-9]{1,10})$");

  static BackupLabel parse(String text) {
    Matcher start = START.matcher(text);
    Matcher tli = TLI.matcher(text);
    if (!start.find() || !tli.find()) {
      throw new PageserverException.Corrupt("backup_label names no start: " + text);
    }
    return new BackupLabel(
        Lsn.parse(start.group(1)),
        Integer.parseUnsignedInt(tli.group(1)),
        STANDBY.matcher(text).find());
  }
}
