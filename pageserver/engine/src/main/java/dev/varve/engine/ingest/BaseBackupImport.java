package dev.varve.engine.ingest;

import dev.varve.engine.EngineOptions;
import dev.varve.engine.PageserverException;
import dev.varve.engine.bytes.LittleEndian;
import dev.varve.engine.catalog.ClusterState;
import dev.varve.engine.catalog.RelationDictionary;
import dev.varve.engine.catalog.Shard;
import dev.varve.engine.catalog.SlruBounds;
import dev.varve.engine.postgres.ClusterIdentity;
import dev.varve.engine.postgres.ControlFile;
import dev.varve.engine.postgres.ForkNumber;
import dev.varve.engine.postgres.Lsn;
import dev.varve.engine.postgres.Page;
import dev.varve.engine.postgres.RelFileLocator;
import dev.varve.engine.redo.ClusterEffects;
import dev.varve.engine.redo.Slru;
import dev.varve.engine.tree.ImageRun;
import dev.varve.engine.tree.KeySpace;
import dev.varve.engine.tree.LayerFile;
import dev.varve.engine.tree.TimelineLayers;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * Takes in the files of a base backup, in any order, and makes them the timeline's first image
 * layers. The backup is fuzzy: pages may be newer than its start and torn; only WAL up to its end
 * makes them whole, so nothing is read before that was received.
 *
 * <p>Relation pages and SLRU pages go to image layers as they come, with bounded memory; everything
 * else is kept until {@link #finish} and written last. One thread. Closing without finishing gives
 * up what there is of it, here and in the object store.
 */
public final class BaseBackupImport implements AutoCloseable {
  /** No file that is kept whole is longer: prepared transactions are the largest. */
  private static final int MAX_WHOLE_FILE_BYTES = ClusterEffects.MAX_STATE_BYTES;

  private final TimelineLayers layers;
  private final Shard shard;
  private final ClusterIdentity identity;
  private final long imageLsn;
  private final Runnable onFinished;
  private final Map<Long, byte[]> values = new TreeMap<>();
  private final Map<Integer, byte[]> prepared = new TreeMap<>();
  private final Set<Integer> tablespaces = new TreeSet<>();
  private final Set<Integer> linked = new HashSet<>();

  /** Fork id → segment → blocks, of forks that have more than one file. */
  private final Map<Integer, NavigableMap<Integer, Integer>> segments = new HashMap<>();

  private final RelationDictionary dictionary = new RelationDictionary();
  private final ClusterState state;
  private final ImageRun relationPages;
  private final ImageRun slruPages;
  private final ImageRun rest;

  /** Of each SLRU, segment → pages. */
  private final List<NavigableMap<Integer, Integer>> slruFiles = new ArrayList<>();

  private final byte[] page = new byte[Page.SIZE];
  private @Nullable BackupLabel label;
  private byte @Nullable [] controlFile;
  private long copiedBytes;

  public BaseBackupImport(
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
    this.state = new ClusterState(this::keep, dictionary);
    for (int slru = 0; slru < KeySpace.SLRU_COUNT; slru++) {
      slruFiles.add(new TreeMap<>());
    }
    this.relationPages = new ImageRun(layers, imageLsn, options.targetLayerBytes());
    this.slruPages = new ImageRun(layers, imageLsn, options.targetLayerBytes());
    this.rest = new ImageRun(layers, imageLsn, Long.MAX_VALUE);
  }

  /** The dictionary and the sizes, of which there may be millions, are written from the state. */
  private void keep(long key, byte[] bytes, int length) {
    if (KeySpace.relationId(key) > KeySpace.RELATION_SIZE) {
      values.put(key, Arrays.copyOf(bytes, length));
    }
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
    directory(path);
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
      case BackupPath.History history ->
          state.putTimelineHistory(history.tli(), readWhole(path, length, in));
      case BackupPath.Named named -> named(named, path, length, in);
    }
    copiedBytes += length;
  }

  /**
   * A directory of the backup. Only those of tablespaces mean anything: one that no link and no
   * {@code tablespace_map} names was made in place.
   */
  public void directory(String path) {
    Integer tablespace = BackupPath.tablespace(path);
    if (tablespace != null) {
      tablespaces.add(tablespace);
    }
  }

  /** A symbolic link of the backup: only tablespaces' links mean anything. */
  public void link(String path, String target) {
    Integer tablespace = BackupPath.tablespace(path);
    if (tablespace != null) {
      putTablespace(tablespace, target);
    }
  }

  private void putTablespace(int tablespace, String location) {
    linked.add(tablespace);
    state.putTablespace(tablespace, location);
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
      case BACKUP_LABEL -> {
        BackupLabel parsed = BackupLabel.parse(new String(bytes, StandardCharsets.UTF_8));
        requireKept(parsed.startLsn());
        label = parsed;
      }
      case TABLESPACE_MAP ->
          TablespaceMap.parse(new String(bytes, StandardCharsets.UTF_8))
              .forEach(this::putTablespace);
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
    if (segment.segment() == 0) {
      state.setSize(id, blocks);
    } else {
      segments.computeIfAbsent(id, absent -> new TreeMap<>()).put(segment.segment(), blocks);
    }
    if (locator.databaseOid() != 0
        && !state.hasDirectory(locator.databaseOid(), locator.tablespaceOid())
        && segment.fork() == ForkNumber.MAIN) {
      state.putDatabase(locator.databaseOid(), locator.tablespaceOid(), null);
    }
  }

  private void slruSegment(BackupPath.SlruSegment segment, long length, InputStream in)
      throws IOException {
    long first = (long) segment.segment() * Slru.PAGES_PER_SEGMENT;
    int pages = (int) Math.min(length / Page.SIZE, Slru.pages(segment.slru()) - first);
    for (int i = 0; i < pages; i++) {
      readPage("SLRU " + segment, in);
      slruPages.page(KeySpace.key(KeySpace.FIRST_SLRU + segment.slru(), (int) (first + i)), page);
    }
    if (pages > 0) {
      slruFiles.get(segment.slru()).put(segment.segment(), pages);
    }
  }

  /**
   * A fork ends with the first of its files that is not full, as {@code mdnblocks} sees it: those
   * behind it are empty, left by a truncation, or were made after that one was copied, and WAL
   * makes them again.
   */
  private void joinSegments() {
    segments.forEach((id, behind) -> {
      int blocks = state.size(id);
      for (int segment = 1;
          blocks == segment * BackupPath.BLOCKS_PER_SEGMENT && behind.containsKey(segment);
          segment++) {
        blocks += behind.get(segment);
      }
      if (blocks != state.size(id)) {
        state.setSize(id, blocks);
      }
    });
  }

  private void readPage(String what, InputStream in) throws IOException {
    if (in.readNBytes(page, 0, Page.SIZE) != Page.SIZE) {
      throw new IOException("the backup ended inside " + what);
    }
  }

  private static byte[] readWhole(String path, long length, InputStream in) throws IOException {
    if (length > MAX_WHOLE_FILE_BYTES) {
      throw new PageserverException.InvalidRequest(
          "%s has %d bytes, and a timeline keeps at most %d of such a file%s"
              .formatted(
                  path,
                  length,
                  MAX_WHOLE_FILE_BYTES,
                  path.startsWith("pg_twophase/")
                      ? ": end the prepared transaction at the primary and attach it again"
                      : ""));
    }
    byte[] bytes = in.readNBytes((int) length);
    if (bytes.length != length) {
      throw new IOException("the backup ended inside " + path);
    }
    return bytes;
  }

  /**
   * A standby's backup starts at its last restartpoint, which may be older than the slot; a
   * primary's at a checkpoint of its own. The label comes before the data.
   */
  private void requireKept(long startLsn) {
    if (Long.compareUnsigned(imageLsn, startLsn) > 0) {
      throw new PageserverException.Unavailable(
          "the base backup starts at "
              + Lsn.format(startLsn)
              + ", and the slot keeps WAL from "
              + Lsn.format(imageLsn)
              + " on only: wait for the standby's next restartpoint, which a CHECKPOINT at its"
              + " primary hastens, or drop the slot if nothing else uses it",
          null);
    }
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
    joinSegments();
    for (int tablespace : tablespaces) {
      if (!linked.contains(tablespace)) {
        state.putTablespace(tablespace, "");
      }
    }
    for (int slru = 0; slru < KeySpace.SLRU_COUNT; slru++) {
      state.setSlru(slru, SlruBounds.ofFiles(slruFiles.get(slru), Slru.pages(slru)));
    }
    requireEnd(start, control);
    state.setControlFile(control, identity.major());
    prepared.forEach((xid, file) -> state.putPrepared(xid, file, 0, file.length));
    writeRelations();
    for (Map.Entry<Long, byte[]> entry : values.entrySet()) {
      rest.value(entry.getKey(), entry.getValue());
    }
    List<ImageRun> runs = List.of(relationPages, slruPages, rest);
    List<LayerFile> images = new ArrayList<>();
    for (ImageRun run : runs) {
      images.addAll(run.finish());
    }
    runs.forEach(ImageRun::keep);
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

  private void writeRelations() throws IOException {
    int end = dictionary.end();
    byte[] entry = new byte[RelationDictionary.ENTRY_BYTES];
    for (int id = KeySpace.FIRST_RELATION; id < end; id++) {
      dictionary.encode(id, entry);
      rest.value(KeySpace.key(KeySpace.DICTIONARY, id), entry);
    }
    byte[] size = new byte[4];
    for (int id = KeySpace.FIRST_RELATION; id < end; id++) {
      if (state.size(id) != -1) {
        LittleEndian.putI32(size, 0, state.size(id));
        rest.value(KeySpace.key(KeySpace.RELATION_SIZE, id), size);
      }
    }
  }

  @Override
  public void close() throws IOException {
    try (rest;
        slruPages) {
      relationPages.close();
    }
  }
}
