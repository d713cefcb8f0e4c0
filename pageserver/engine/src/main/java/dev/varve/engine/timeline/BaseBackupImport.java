package dev.varve.engine.timeline;

import dev.varve.engine.PageserverException;
import dev.varve.engine.bytes.LittleEndian;
import dev.varve.engine.postgres.ControlFile;
import dev.varve.engine.postgres.ForkNumber;
import dev.varve.engine.postgres.Lsn;
import dev.varve.engine.postgres.Page;
import dev.varve.engine.postgres.RelFileLocator;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Takes in the files of a base backup, in any order, and makes them the timeline's first image
 * layers. The backup is fuzzy: pages may be newer than its start and torn; only WAL up to its end
 * makes them whole, so nothing is read before that was received.
 *
 * <p>Relation pages and SLRU pages go to image layers as they come, with bounded memory; everything
 * else is kept until {@link #finish} and written last. One thread. Closing without finishing leaves
 * nothing behind but unreferenced files.
 */
public final class BaseBackupImport implements AutoCloseable {
  /** No file that is kept whole is longer: prepared transactions are the largest. */
  private static final int MAX_WHOLE_FILE_BYTES = 64 << 20;

  private static final int SLRU_PAGES_PER_SEGMENT = 32;

  private final TimelineLayers layers;
  private final Shard shard;
  private final ClusterIdentity identity;
  private final long imageLsn;
  private final Runnable onFinished;
  private final Map<Long, byte[]> values = new TreeMap<>();
  private final Map<Integer, byte[]> prepared = new TreeMap<>();
  private final ClusterState state;
  private final ImageRun relationPages;
  private final ImageRun slruPages;
  private final Map<Integer, long[]> slruRanges = new HashMap<>();
  private final byte[] page = new byte[Page.SIZE];
  private @Nullable BackupLabel label;
  private byte @Nullable [] controlFile;
  private long copiedBytes;

  BaseBackupImport(
      TimelineLayers layers,
      Shard shard,
      ClusterIdentity identity,
      EngineOptions options,
      long imageLsn,
      Runnable onFinished) {
    this.layers = layers;
    this.shard = shard;
    this.identity = identity;
    this.imageLsn = imageLsn;
    this.onFinished = onFinished;
    this.state =
        new ClusterState(
            (key, bytes, length) -> values.put(key, Arrays.copyOf(bytes, length)),
            new RelationDictionary());
    this.relationPages = new ImageRun(layers, imageLsn, options.targetLayerBytes());
    this.slruPages = new ImageRun(layers, imageLsn, options.targetLayerBytes());
  }

  /** Bytes of files taken in so far. */
  public long copiedBytes() {
    return copiedBytes;
  }

  /**
   * One file of the backup.
   *
   * @param path below the data directory, with slashes; a file in a tablespace as {@code
   *     pg_tblspc/OID/PG_…/database/file}
   * @param length its length in bytes
   * @param in the file's bytes; what the import does not keep it leaves unread
   */
  public void file(String path, long length, InputStream in) throws IOException {
    BackupPath parsed = BackupPath.parse(path);
    switch (parsed) {
      case null -> {
        return;
      }
      case BackupPath.RelationSegment segment -> relationSegment(segment, length, in);
      case BackupPath.SlruSegment segment -> slruSegment(segment, length, in);
      case BackupPath.DatabaseVersion database ->
          state.putDatabase(database.databaseOid(), database.tablespaceOid(), null);
      case BackupPath.RelationMap map ->
          state.putDatabase(map.databaseOid(), map.tablespaceOid(), readWhole(path, length, in));
      case BackupPath.TwoPhase transaction ->
          prepared.put((int) transaction.xid(), readWhole(path, length, in));
      case BackupPath.Named named -> named(named, path, length, in);
    }
    copiedBytes += length;
  }

  /** A symbolic link of the backup: only tablespaces' links mean anything. */
  public void link(String path, String target) {
    if (path.matches("pg_tblspc/[0-9]{1,10}")) {
      state.putTablespace(Integer.parseUnsignedInt(path.substring(10)), target);
    }
  }

  private void named(BackupPath.Named named, String path, long length, InputStream in)
      throws IOException {
    byte[] bytes = readWhole(path, length, in);
    switch (named) {
      case VERSION -> {
        String version = new String(bytes, StandardCharsets.US_ASCII).strip();
        if (!version.equals(Integer.toString(identity.major().number()))) {
          throw new PageserverException.Corrupt(
              "the backup is of PostgreSQL " + version + ", not " + identity.major().number());
        }
      }
      case CONTROL_FILE -> {
        ControlFile.check(bytes, identity.major());
        if (LittleEndian.i64(bytes, ControlFile.SYSTEM_IDENTIFIER) != identity.systemIdentifier()) {
          throw new PageserverException.InvalidRequest(
              "the backup is of another cluster: system identifier "
                  + Long.toUnsignedString(LittleEndian.i64(bytes, ControlFile.SYSTEM_IDENTIFIER))
                  + " instead of "
                  + Long.toUnsignedString(identity.systemIdentifier()));
        }
        controlFile = bytes;
      }
      case BACKUP_LABEL -> label = BackupLabel.parse(new String(bytes, StandardCharsets.UTF_8));
      case TABLESPACE_MAP -> {
        for (String line : new String(bytes, StandardCharsets.UTF_8).lines().toList()) {
          int space = line.indexOf(' ');
          if (space > 0) {
            state.putTablespace(
                Integer.parseUnsignedInt(line.substring(0, space)), line.substring(space + 1));
          }
        }
      }
      case REPLICATION_ORIGINS -> {
        for (int at = 4; at + 16 + 4 <= bytes.length; at += 16) {
          state.putOrigin(LittleEndian.u16(bytes, at), LittleEndian.i64(bytes, at + 8), imageLsn);
        }
      }
    }
  }

  private void relationSegment(BackupPath.RelationSegment segment, long length, InputStream in)
      throws IOException {
    RelFileLocator locator = segment.locator();
    int id =
        state.intern(
            locator.tablespaceOid(),
            locator.databaseOid(),
            locator.relationNumber(),
            segment.fork());
    int first = segment.segment() * BackupPath.BLOCKS_PER_SEGMENT;
    // A file that was being extended may end in part of a page; WAL has the whole of it.
    int blocks = (int) (length / Page.SIZE);
    for (int i = 0; i < blocks; i++) {
      readPage(locator + "." + segment.segment(), in);
      if (shard.owns(locator.databaseOid(), locator.relationNumber(), segment.fork(), first + i)) {
        relationPages.page(KeySpace.key(id, first + i), page);
      }
    }
    if (state.size(id) == -1 || Integer.compareUnsigned(first + blocks, state.size(id)) > 0) {
      state.setSize(id, first + blocks);
    }
    if (locator.databaseOid() != 0
        && !state.hasDirectory(locator.databaseOid(), locator.tablespaceOid())
        && segment.fork() == ForkNumber.MAIN) {
      state.putDatabase(locator.databaseOid(), locator.tablespaceOid(), null);
    }
  }

  private void slruSegment(BackupPath.SlruSegment segment, long length, InputStream in)
      throws IOException {
    long first = (long) segment.segment() * SLRU_PAGES_PER_SEGMENT;
    int pages = (int) (length / Page.SIZE);
    for (int i = 0; i < pages; i++) {
      readPage("SLRU " + segment, in);
      slruPages.page(KeySpace.key(KeySpace.FIRST_SLRU + segment.slru(), (int) (first + i)), page);
    }
    long[] range =
        slruRanges.computeIfAbsent(segment.slru(), slru -> new long[] {first, first + pages});
    range[0] = Math.min(range[0], first);
    range[1] = Math.max(range[1], first + pages);
  }

  private void readPage(String what, InputStream in) throws IOException {
    if (in.readNBytes(page, 0, Page.SIZE) != Page.SIZE) {
      throw new IOException("the backup ended inside " + what);
    }
  }

  private static byte[] readWhole(String path, long length, InputStream in) throws IOException {
    if (length > MAX_WHOLE_FILE_BYTES) {
      throw new PageserverException.Corrupt(path + " has " + length + " bytes");
    }
    byte[] bytes = in.readNBytes((int) length);
    if (bytes.length != length) {
      throw new IOException("the backup ended inside " + path);
    }
    return bytes;
  }

  /**
   * Writes what is left, publishes everything and starts the timeline: WAL is wanted from the
   * backup's start.
   */
  public void finish() throws IOException {
    BackupLabel start = label;
    byte[] control = controlFile;
    if (start == null || control == null) {
      throw new PageserverException.Corrupt(
          "the backup has no " + (start == null ? "backup_label" : "global/pg_control"));
    }
    if (Long.compareUnsigned(imageLsn, start.startLsn()) > 0) {
      throw new PageserverException.Corrupt(
          "the backup starts at "
              + Lsn.format(start.startLsn())
              + ", before "
              + Lsn.format(imageLsn));
    }
    slruRanges.forEach((slru, range) -> state.setSlru(slru, new SlruBounds(range[0], range[1])));
    requireEnd(start, control);
    state.setControlFile(control, identity.major());
    prepared.forEach((xid, file) -> state.putPrepared(xid, file, 0, file.length));
    ImageRun rest = new ImageRun(layers, imageLsn, Long.MAX_VALUE);
    for (Map.Entry<Long, byte[]> entry : values.entrySet()) {
      rest.value(entry.getKey(), entry.getValue());
    }
    List<LayerFile> images = new ArrayList<>(relationPages.finish());
    images.addAll(slruPages.finish());
    images.addAll(rest.finish());
    layers.commitImport(identity, start.startLsn(), images);
    onFinished.run();
  }

  /**
   * A standby's backup ends at the minimum recovery point of its control file, which was copied
   * last (PostgreSQL 17 {@code src/backend/access/transam/xlogrecovery.c}, {@code
   * InitWalRecovery}). It is kept there, and of a primary's backup, which ends with a record, none
   * is.
   */
  private static void requireEnd(BackupLabel start, byte[] control) {
    if (!start.fromStandby()) {
      LittleEndian.putI64(control, ControlFile.MIN_RECOVERY_POINT, 0);
    } else if (Long.compareUnsigned(
            LittleEndian.i64(control, ControlFile.MIN_RECOVERY_POINT), start.startLsn())
        <= 0) {
      throw new PageserverException.Corrupt(
          "the backup of a standby ends at "
              + Lsn.format(LittleEndian.i64(control, ControlFile.MIN_RECOVERY_POINT))
              + ", not after its start at "
              + Lsn.format(start.startLsn()));
    }
  }

  @Override
  public void close() throws IOException {
    relationPages.close();
    slruPages.close();
  }
}
