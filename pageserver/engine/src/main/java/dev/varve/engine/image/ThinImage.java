package dev.varve.engine.image;

import static dev.varve.engine.bytes.LittleEndian.i32;
import static dev.varve.engine.bytes.LittleEndian.putI32;
import static dev.varve.engine.bytes.LittleEndian.putI64;

import dev.varve.engine.catalog.ClusterView;
import dev.varve.engine.catalog.RelationEntry;
import dev.varve.engine.layer.RecordBoundary;
import dev.varve.engine.postgres.CheckPoint;
import dev.varve.engine.postgres.ClusterIdentity;
import dev.varve.engine.postgres.ControlFile;
import dev.varve.engine.postgres.ForkNumber;
import dev.varve.engine.postgres.Page;
import dev.varve.engine.postgres.PostgresMajor;
import dev.varve.engine.postgres.RelFileLocator;
import dev.varve.engine.postgres.TimelineHistory;
import dev.varve.engine.redo.ClusterEffects;
import dev.varve.engine.redo.Slru;
import dev.varve.engine.timeline.Timeline;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.IntToLongFunction;
import java.util.zip.CRC32C;

/**
 * The files that stock PostgreSQL needs to start at an LSN as after a clean shutdown: {@code
 * global/} with the shared catalogs and a control file, transaction status, relation maps, prepared
 * transactions, replication origins, the history of the TLI, and one WAL segment with a checkpoint
 * made at exactly that LSN. What is below {@code base/} comes through the page mount, but for
 * {@code PG_VERSION} and relation map of each database's own directory: in other tablespaces it has
 * relations only, so that {@code DROP TABLESPACE} finds an empty directory when they are gone. The
 * size does not depend on the amount of user data, nor, without the old segments of SLRUs, on the
 * number of transactions; no file but small ones is whole in memory.
 *
 * <p>A WAL segment comes as its pages that are not zeros, each an entry {@code pg_wal/NAME@OFFSET}
 * (in bytes); who lays the image out makes the file as long as a segment. The same LSN gives the
 * same bytes. Configuration files are the compute's own.
 */
public final class ThinImage {
  /** Every directory that PostgreSQL expects to exist, parents first. */
  private static final List<String> DIRECTORIES =
      List.of(
          "base",
          "global",
          "pg_commit_ts",
          "pg_dynshmem",
          "pg_logical",
          "pg_logical/mappings",
          "pg_logical/snapshots",
          "pg_multixact",
          "pg_multixact/members",
          "pg_multixact/offsets",
          "pg_notify",
          "pg_replslot",
          "pg_serial",
          "pg_snapshots",
          "pg_stat",
          "pg_stat_tmp",
          "pg_subtrans",
          "pg_tblspc",
          "pg_twophase",
          "pg_wal",
          "pg_wal/archive_status",
          "pg_xact");

  /** Directories of the SLRUs, in the order of {@link ClusterEffects}. */
  private static final List<String> SLRU_DIRECTORIES =
      List.of("pg_xact", "pg_multixact/offsets", "pg_multixact/members", "pg_commit_ts");

  /**
   * Segments of an SLRU that an image holds though their pages can be read: those that the start
   * and the next transactions want.
   */
  private static final int NEWEST_SEGMENTS = 4;

  private static final int REPLICATION_STATE_MAGIC = 0x1257DADE;

  /** {@code RELSEG_SIZE}: pages in one file of a relation. */
  private static final int PAGES_PER_FILE = 131_072;

  /** Pages that are read at a time. */
  private static final int RUN_PAGES = 64;

  private final Timeline timeline;
  private final RecordBoundary boundary;
  private final ClusterView view;
  private final ClusterIdentity identity;
  private final byte[] controlFile;

  private ThinImage(Timeline timeline, RecordBoundary boundary) {
    this.timeline = timeline;
    this.boundary = boundary;
    this.view = timeline.view(boundary.endLsn());
    this.identity = timeline.identity();
    this.controlFile = view.controlFile();
  }

  /**
   * An image at the end of the last record at or before {@code lsn}.
   *
   * @throws dev.varve.engine.PageserverException when nothing can be read there
   */
  public static ThinImage at(Timeline timeline, long lsn) {
    return new ThinImage(timeline, timeline.boundaryAt(lsn));
  }

  /** The LSN that pages are to be read at. */
  public long lsn() {
    return boundary.endLsn();
  }

  public ClusterIdentity identity() {
    return identity;
  }

  public boolean hasChecksums() {
    return ControlFile.hasChecksums(controlFile);
  }

  /** Every database directory but {@code global/}. */
  public List<ClusterView.Directory> directories() {
    return view.directories().stream().filter(d -> d.databaseOid() != 0).toList();
  }

  /** OID → location of every tablespace but the two built-in ones. */
  public Map<Integer, String> tablespaces() {
    return view.tablespaces();
  }

  /**
   * The directory in a tablespace that belongs to this major and catalog version ({@code
   * TABLESPACE_VERSION_DIRECTORY}).
   */
  public String tablespaceVersionDirectory() {
    return "PG_" + identity.major().number() + "_" + i32(controlFile, ControlFile.CATALOG_VERSION);
  }

  /**
   * A run of pages of an SLRU, whole segments.
   *
   * @param slru numbered as in {@link ClusterEffects}
   */
  public record SlruRun(int slru, long firstPage, long pages) {}

  /** The pages that {@link #writeWithoutOldSegments} leaves out, by SLRU, ascending. */
  public List<SlruRun> oldSegments() {
    List<SlruRun> runs = new ArrayList<>();
    for (int slru = 0; slru < SLRU_DIRECTORIES.size(); slru++) {
      long oldest = oldestSegment(slru);
      long newest = newestSegments(slru);
      if (oldest < newest) {
        runs.add(new SlruRun(slru, oldest, newest - oldest));
      } else if (newest < oldest) {
        if (newest > 0) {
          runs.add(new SlruRun(slru, 0, newest));
        }
        runs.add(new SlruRun(slru, oldest, Slru.pages(slru) - oldest));
      }
    }
    return runs;
  }

  /** The page with which an SLRU's oldest segment begins. */
  private long oldestSegment(int slru) {
    return startOfSegment(view.slruFirstPage(slru));
  }

  /** The page with which the first of its newest segments begins. */
  private long newestSegments(int slru) {
    long oldest = oldestSegment(slru);
    long end = view.slruEndPage(slru);
    if (view.slruFirstPage(slru) == end) {
      return oldest;
    }
    long segment = startOfSegment((end == 0 ? Slru.pages(slru) : end) - 1);
    for (int i = 1; i < NEWEST_SEGMENTS && segment != oldest; i++) {
      segment =
          segment == 0 ? startOfSegment(Slru.pages(slru) - 1) : segment - Slru.PAGES_PER_SEGMENT;
    }
    return segment;
  }

  private static long startOfSegment(long page) {
    return page - page % Slru.PAGES_PER_SEGMENT;
  }

  /** Writes the image as a zstd-compressed tar stream. Does not close {@code out}. */
  public void writeTo(OutputStream out) throws IOException {
    writeTo(out, this::oldestSegment);
  }

  /** Likewise, without the pages of {@link #oldSegments}. */
  public void writeWithoutOldSegments(OutputStream out) throws IOException {
    writeTo(out, this::newestSegments);
  }

  /**
   * @param firstSegment the page with which the first segment of an SLRU that goes out begins
   */
  private void writeTo(OutputStream out, IntToLongFunction firstSegment) throws IOException {
    try (ImageTar tar = new ImageTar(out)) {
      writeDirectories(tar);
      writeDatabases(tar);
      writeGlobal(tar);
      for (int slru = 0; slru < SLRU_DIRECTORIES.size(); slru++) {
        writeSlru(tar, slru, firstSegment.applyAsLong(slru));
      }
      writePrepared(tar);
      writeOrigins(tar);
      writeWalAndControlFile(tar);
    }
  }

  private void writeDirectories(ImageTar tar) throws IOException {
    for (String directory : DIRECTORIES) {
      tar.directory(directory);
    }
    if (identity.major().atLeast(PostgresMajor.V17)) {
      tar.directory("pg_wal/summaries");
    }
  }

  private void writeDatabases(ImageTar tar) throws IOException {
    byte[] version = (identity.major().number() + "\n").getBytes(StandardCharsets.US_ASCII);
    tar.file("PG_VERSION", version);
    for (int tablespace : view.tablespaces().keySet()) {
      String directory = "pg_tblspc/" + Integer.toUnsignedString(tablespace);
      tar.directory(directory);
      tar.directory(directory + "/" + tablespaceVersionDirectory());
    }
    for (ClusterView.Directory directory : directories()) {
      String path = path(directory);
      tar.directory(path);
      byte[] map = directory.relationMap();
      if (map != null) {
        tar.file(path + "/PG_VERSION", version);
        tar.file(path + "/pg_filenode.map", map);
      }
    }
  }

  private String path(ClusterView.Directory directory) {
    String database = Integer.toUnsignedString(directory.databaseOid());
    return directory.tablespaceOid() == RelFileLocator.DEFAULT_TABLESPACE
        ? "base/" + database
        : "pg_tblspc/"
            + Integer.toUnsignedString(directory.tablespaceOid())
            + "/"
            + tablespaceVersionDirectory()
            + "/"
            + database;
  }

  private void writeGlobal(ImageTar tar) throws IOException {
    for (ClusterView.Directory directory : view.directories()) {
      byte[] map = directory.relationMap();
      if (directory.databaseOid() == 0 && map != null) {
        tar.file("global/pg_filenode.map", map);
      }
    }
    for (RelationEntry entry : view.relations(RelFileLocator.GLOBAL_TABLESPACE, 0)) {
      writeShared(tar, entry);
    }
  }

  /** One fork of a shared catalog, a file for each segment of it. */
  private void writeShared(ImageTar tar, RelationEntry entry) throws IOException {
    RelFileLocator locator =
        new RelFileLocator(RelFileLocator.GLOBAL_TABLESPACE, 0, entry.relationNumber());
    String name =
        "global/"
            + Integer.toUnsignedString(entry.relationNumber())
            + ForkNumber.suffix(entry.fork());
    long blocks = Integer.toUnsignedLong(entry.blocks());
    long first = 0;
    do {
      long from = first;
      long end = Math.min(blocks, from + PAGES_PER_FILE);
      tar.file(
          from == 0 ? name : name + "." + from / PAGES_PER_FILE,
          (end - from) * Page.SIZE,
          out -> {
            for (long block = from; block < end; block += RUN_PAGES) {
              int count = (int) Math.min(RUN_PAGES, end - block);
              for (byte[] page :
                  timeline.sharedPages(
                      locator, entry.sourceFork(), (int) block, count, boundary.endLsn())) {
                out.write(page);
              }
            }
          });
      first = end;
    } while (first < blocks);
  }

  /**
   * The segments of an SLRU that have a page, oldest first; the first one whole, since PostgreSQL
   * removes whole segments.
   *
   * @param firstSegment the page with which the first of them begins
   */
  private void writeSlru(ImageTar tar, int slru, long firstSegment) throws IOException {
    long circle = Slru.pages(slru);
    long end = view.slruEndPage(slru);
    if (view.slruFirstPage(slru) == end) {
      return;
    }
    long first = firstSegment;
    long left = Math.min(circle, (end > first ? end : end + circle) - first);
    byte[] page = new byte[Page.SIZE];
    while (left > 0) {
      long from = first;
      long count = Math.min(left, Math.min(Slru.PAGES_PER_SEGMENT, circle - from));
      long known = from;
      while (known < from + count && !view.slruPage(slru, (int) known, page)) {
        known++;
      }
      if (known < from + count) {
        tar.file(
            SLRU_DIRECTORIES.get(slru) + "/%04X".formatted(from / Slru.PAGES_PER_SEGMENT),
            count * Page.SIZE,
            out -> {
              for (long number = from; number < from + count; number++) {
                var _ = view.slruPage(slru, (int) number, page);
                out.write(page);
              }
            });
      }
      left -= count;
      first = from + count == circle ? 0 : from + count;
    }
  }

  private void writePrepared(ImageTar tar) throws IOException {
    boolean wide = identity.major().atLeast(PostgresMajor.V17);
    for (int xid : view.preparedXids()) {
      ClusterView.Prepared transaction = view.prepared(xid);
      String name =
          wide
              ? "%016X".formatted(transaction.fullXid())
              : "%08X".formatted((int) transaction.fullXid());
      tar.file("pg_twophase/" + name, transaction.stateFile());
    }
  }

  /**
   * {@code pg_logical/replorigin_checkpoint}, as PostgreSQL 17 {@code
   * src/backend/replication/logical/origin.c} reads it.
   */
  private void writeOrigins(ImageTar tar) throws IOException {
    List<ClusterView.Origin> origins = view.origins();
    if (origins.isEmpty()) {
      return;
    }
    byte[] file = new byte[4 + 16 * origins.size() + 4];
    putI32(file, 0, REPLICATION_STATE_MAGIC);
    int at = 4;
    for (ClusterView.Origin origin : origins) {
      putI32(file, at, origin.id());
      putI64(file, at + 8, origin.remoteLsn());
      at += 16;
    }
    CRC32C crc = new CRC32C();
    crc.update(file, 0, at);
    putI32(file, at, (int) crc.getValue());
    tar.file("pg_logical/replorigin_checkpoint", file);
  }

  private void writeWalAndControlFile(ImageTar tar) throws IOException {
    long recordLsn = CheckpointSegment.recordLsn(boundary.endLsn(), identity.walSegmentBytes());
    byte[] checkPoint = view.checkPoint();
    int tli = i32(checkPoint, CheckPoint.THIS_TLI);
    putI64(checkPoint, CheckPoint.REDO, recordLsn);
    putI32(checkPoint, CheckPoint.PREVIOUS_TLI, tli);
    checkPoint[CheckPoint.FULL_PAGE_WRITES] = 0;
    if (identity.major().atLeast(PostgresMajor.V17)) {
      putI32(checkPoint, CheckPoint.WAL_LEVEL, i32(controlFile, ControlFile.WAL_LEVEL));
    }
    putI64(checkPoint, CheckPoint.NEXT_XID, view.nextXid());
    putI32(checkPoint, CheckPoint.OLDEST_ACTIVE_XID, 0);
    for (CheckpointSegment.Segment segment :
        CheckpointSegment.generate(
            identity, tli, boundary.endLsn(), boundary.startLsn(), checkPoint)) {
      for (Map.Entry<Integer, byte[]> page : segment.pages().entrySet()) {
        tar.file("pg_wal/" + segment.name() + "@" + page.getKey(), page.getValue());
      }
    }
    if (identity.major().atLeast(PostgresMajor.V17)) {
      tar.file(
          "pg_wal/summaries/" + WalSummary.name(tli, boundary.startLsn(), boundary.endLsn()),
          WalSummary.empty());
    }
    byte[] history = view.timelineHistory(tli);
    if (history != null) {
      tar.file("pg_wal/" + TimelineHistory.fileName(tli), history);
      for (Map.Entry<Integer, byte[]> ancestor : TimelineHistory.ancestors(history).entrySet()) {
        tar.file("pg_wal/" + TimelineHistory.fileName(ancestor.getKey()), ancestor.getValue());
      }
    }
    tar.file(
        "global/pg_control",
        ControlFile.shutDown(controlFile, identity.major(), recordLsn, checkPoint));
  }
}
