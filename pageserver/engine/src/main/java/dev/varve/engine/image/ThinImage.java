package dev.varve.engine.image;

import static dev.varve.engine.bytes.LittleEndian.i32;
import static dev.varve.engine.bytes.LittleEndian.putI32;
import static dev.varve.engine.bytes.LittleEndian.putI64;

import com.github.luben.zstd.ZstdOutputStream;
import dev.varve.engine.layer.RecordBoundary;
import dev.varve.engine.postgres.CheckPoint;
import dev.varve.engine.postgres.ControlFile;
import dev.varve.engine.postgres.ForkNumber;
import dev.varve.engine.postgres.Page;
import dev.varve.engine.postgres.PostgresMajor;
import dev.varve.engine.postgres.RelFileLocator;
import dev.varve.engine.redo.ClusterEffects;
import dev.varve.engine.timeline.ClusterIdentity;
import dev.varve.engine.timeline.ClusterView;
import dev.varve.engine.timeline.RelationEntry;
import dev.varve.engine.timeline.Timeline;
import java.io.BufferedOutputStream;
import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.zip.CRC32C;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;

/**
 * The files that stock PostgreSQL needs to start at an LSN as after a clean shutdown: {@code
 * global/} with the shared catalogs and a control file, transaction status, relation maps, prepared
 * transactions, replication origins, and one WAL segment with a checkpoint made at exactly that
 * LSN. What is below {@code base/} comes through the page mount, but for each database's {@code
 * PG_VERSION} and relation map. The size does not depend on the amount of user data.
 *
 * <p>The same LSN gives the same bytes. Configuration files are the compute's own.
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

  private static final int PAGES_PER_SLRU_SEGMENT = 32;

  /**
   * The largest page number of each SLRU plus one: 2^32 ids or members over what a page holds,
   * rounded up.
   */
  private static final long[] SLRU_PAGES = {
    0x1_0000_0000L / 32768,
    0x1_0000_0000L / 2048,
    (0x1_0000_0000L + 1635) / 1636,
    (0x1_0000_0000L + 818) / 819
  };

  private static final int REPLICATION_STATE_MAGIC = 0x1257DADE;
  private static final int COMPRESSION_LEVEL = 1;

  /** The tar stream comes in pieces of 512 bytes, and each costs the compressor a native call. */
  private static final int BUFFER_BYTES = 128 << 10;

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

  /** Writes the image as a zstd-compressed tar stream. Does not close {@code out}. */
  public void writeTo(OutputStream out) throws IOException {
    ZstdOutputStream compressed = new ZstdOutputStream(new LeftOpen(out), COMPRESSION_LEVEL);
    try (TarArchiveOutputStream tar =
        new TarArchiveOutputStream(new BufferedOutputStream(compressed, BUFFER_BYTES))) {
      writeDirectories(tar);
      writeDatabases(tar);
      writeGlobal(tar);
      for (int slru = 0; slru < SLRU_DIRECTORIES.size(); slru++) {
        writeSlru(tar, slru);
      }
      writePrepared(tar);
      writeOrigins(tar);
      writeWalAndControlFile(tar);
    }
  }

  /** Passes everything on but {@code close}. */
  private static final class LeftOpen extends FilterOutputStream {
    LeftOpen(OutputStream out) {
      super(out);
    }

    @Override
    public void write(byte[] bytes, int offset, int length) throws IOException {
      out.write(bytes, offset, length);
    }

    @Override
    public void close() throws IOException {
      flush();
    }
  }

  private void writeDirectories(TarArchiveOutputStream tar) throws IOException {
    for (String directory : DIRECTORIES) {
      putDirectory(tar, directory);
    }
    if (identity.major().atLeast(PostgresMajor.V17)) {
      putDirectory(tar, "pg_wal/summaries");
    }
  }

  private void writeDatabases(TarArchiveOutputStream tar) throws IOException {
    byte[] version = (identity.major().number() + "\n").getBytes(StandardCharsets.US_ASCII);
    putFile(tar, "PG_VERSION", version);
    for (int tablespace : view.tablespaces().keySet()) {
      String directory = "pg_tblspc/" + Integer.toUnsignedString(tablespace);
      putDirectory(tar, directory);
      putDirectory(tar, directory + "/" + tablespaceVersionDirectory());
    }
    for (ClusterView.Directory directory : directories()) {
      String path = path(directory);
      putDirectory(tar, path);
      putFile(tar, path + "/PG_VERSION", version);
      byte[] map = directory.relationMap();
      if (map != null) {
        putFile(tar, path + "/pg_filenode.map", map);
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

  private void writeGlobal(TarArchiveOutputStream tar) throws IOException {
    for (ClusterView.Directory directory : view.directories()) {
      byte[] map = directory.relationMap();
      if (directory.databaseOid() == 0 && map != null) {
        putFile(tar, "global/pg_filenode.map", map);
      }
    }
    for (RelationEntry entry : view.relations(RelFileLocator.GLOBAL_TABLESPACE, 0)) {
      RelFileLocator locator =
          new RelFileLocator(RelFileLocator.GLOBAL_TABLESPACE, 0, entry.relationNumber());
      byte[] pages = new byte[Math.multiplyExact(entry.blocks(), Page.SIZE)];
      timeline.readPages(locator, entry.sourceFork(), 0, entry.blocks(), boundary.endLsn(), pages);
      putFile(
          tar,
          "global/"
              + Integer.toUnsignedString(entry.relationNumber())
              + ForkNumber.suffix(entry.fork()),
          pages);
    }
  }

  private void writeSlru(TarArchiveOutputStream tar, int slru) throws IOException {
    long first = view.slruFirstPage(slru);
    long end = view.slruEndPage(slru);
    byte[] page = new byte[Page.SIZE];
    first -= first % PAGES_PER_SLRU_SEGMENT;
    while (first != end) {
      long segmentEnd = Math.min(first + PAGES_PER_SLRU_SEGMENT, SLRU_PAGES[slru]);
      if (Long.compare(first, end) < 0) {
        segmentEnd = Math.min(segmentEnd, end);
      }
      byte[] segment = new byte[(int) (segmentEnd - first) * Page.SIZE];
      for (long number = first; number < segmentEnd; number++) {
        view.slruPage(slru, (int) number, page);
        System.arraycopy(page, 0, segment, (int) (number - first) * Page.SIZE, Page.SIZE);
      }
      putFile(
          tar,
          SLRU_DIRECTORIES.get(slru) + "/%04X".formatted(first / PAGES_PER_SLRU_SEGMENT),
          segment);
      first = segmentEnd == SLRU_PAGES[slru] ? 0 : segmentEnd;
    }
  }

  private void writePrepared(TarArchiveOutputStream tar) throws IOException {
    boolean wide = identity.major().atLeast(PostgresMajor.V17);
    for (ClusterView.Prepared transaction : view.prepared()) {
      String name =
          wide
              ? "%016X".formatted(transaction.fullXid())
              : "%08X".formatted((int) transaction.fullXid());
      putFile(tar, "pg_twophase/" + name, transaction.stateFile());
    }
  }

  /**
   * {@code pg_logical/replorigin_checkpoint}, as PostgreSQL 17 {@code
   * src/backend/replication/logical/origin.c} reads it.
   */
  private void writeOrigins(TarArchiveOutputStream tar) throws IOException {
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
    putFile(tar, "pg_logical/replorigin_checkpoint", file);
  }

  private void writeWalAndControlFile(TarArchiveOutputStream tar) throws IOException {
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
      putFile(tar, "pg_wal/" + segment.name(), segment.bytes());
    }
    putFile(
        tar,
        "global/pg_control",
        ControlFile.shutDown(controlFile, identity.major(), recordLsn, checkPoint));
  }

  private static void putDirectory(TarArchiveOutputStream tar, String name) throws IOException {
    TarArchiveEntry entry = new TarArchiveEntry(name + "/");
    entry.setMode(0040700);
    entry.setModTime(0);
    tar.putArchiveEntry(entry);
    tar.closeArchiveEntry();
  }

  private static void putFile(TarArchiveOutputStream tar, String name, byte[] bytes)
      throws IOException {
    TarArchiveEntry entry = new TarArchiveEntry(name);
    entry.setMode(0100600);
    entry.setModTime(0);
    entry.setSize(bytes.length);
    tar.putArchiveEntry(entry);
    tar.write(bytes);
    tar.closeArchiveEntry();
  }
}
