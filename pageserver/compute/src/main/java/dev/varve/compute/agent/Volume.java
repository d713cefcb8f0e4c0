package dev.varve.compute.agent;

import dev.varve.api.v1.DatabaseDirectory;
import dev.varve.api.v1.SlruPages;
import dev.varve.api.v1.Tablespace;
import dev.varve.api.v1.ThinImageHeader;
import dev.varve.compute.fuse.DiskSync;
import dev.varve.compute.fuse.FuseMount;
import dev.varve.compute.fuse.FuseOptions;
import dev.varve.compute.image.ComputeDirectory;
import dev.varve.compute.image.ImageLayout;
import dev.varve.compute.image.ImageSource;
import dev.varve.compute.image.SlruDirectory;
import dev.varve.compute.mount.MountCounters;
import dev.varve.compute.mount.PageMount;
import dev.varve.compute.mount.SlruSegments;
import dev.varve.compute.mount.SourceLog;
import dev.varve.compute.page.PageSource;
import dev.varve.compute.page.PageSourceException;
import dev.varve.compute.page.RelationFork;
import dev.varve.compute.page.RelationList;
import dev.varve.compute.settings.Allowance;
import dev.varve.compute.settings.Subscriptions;
import dev.varve.format.Envelope;
import dev.varve.format.FileKind;
import dev.varve.format.FormatException;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.jspecify.annotations.Nullable;

/**
 * A data directory made from a thin image, with its mounts and the source of its pages. {@link
 * #open} lays it out (or finds it laid out and cleanly stopped) and mounts, {@link #close} unmounts
 * and keeps the local writes for the next start. Not thread-safe, but for {@link #failure} and what
 * tells whether it can be read.
 */
public final class Volume {
  /** PostgreSQL 17 src/include/catalog/pg_database.dat. */
  private static final int TEMPLATE1 = 1;

  /** {@code RelationRelationId}. */
  private static final int PG_CLASS = 1259;

  private static final Logger LOG = Logger.getLogger(Volume.class.getName());

  /** Of a mount of SLRUs, whose files few read; more are started when all wait. */
  private static final int SLRU_WORKERS = 2;

  /** A segment. */
  private static final int SLRU_TRANSFER_BYTES = 256 << 10;

  /** Files of such a mount that take memory. */
  private static final int SLRU_NODES = 1024;

  private final VolumeOptions options;
  private final ThinImageHeader header;
  private final boolean resumed;
  private final PageSource source;
  private final MountCounters counters = new MountCounters();
  private final SourceLog log;
  private final List<PageMount> mounts = new ArrayList<>();

  private Volume(
      VolumeOptions options, ThinImageHeader header, boolean resumed, PageSource source) {
    this.options = options;
    this.header = header;
    this.resumed = resumed;
    this.source = source;
    this.log = new SourceLog("the pageserver of timeline " + options.timeline());
  }

  /** Where a first start gets its image from. */
  public interface Images {
    ImageSource request() throws IOException;
  }

  /** Where the pages that an image was made for come from. */
  public interface Pages {
    PageSource of(ThinImageHeader header);
  }

  /**
   * Lays out a new directory, or takes up one that was stopped cleanly; and mounts every
   * tablespace, or in eager mode copies what is missing. From here on only {@link #close} makes a
   * clean stop. Leaves files behind when it fails.
   *
   * @param pages what it opens is closed with the volume
   * @throws AgentException when the directory is something else, or was not stopped cleanly
   */
  public static Volume open(VolumeOptions options, Images images, Pages pages) throws IOException {
    ComputeDirectory directory = options.directory();
    FuseMount.detachDead(directory.root());
    FuseMount.detachDead(directory.data());
    String origin = "timeline=" + options.timeline() + "\neager=" + options.eager() + "\n";
    if (Files.exists(directory.image())) {
      checkResumable(directory, origin);
      ThinImageHeader header = header(directory.image());
      return opened(new Volume(options, header, true, pages.of(header)), () -> {});
    }
    requireEmpty(directory.root());
    try (ImageSource image = images.request()) {
      Volume volume = new Volume(options, image.header(), false, pages.of(image.header()));
      return opened(
          volume,
          () -> {
            ImageLayout layout = volume.layout();
            layout.unpack(image);
            if (!options.allowed().contains(Allowance.LOGICAL_REPLICATION)) {
              Subscriptions.hold(
                  directory.data(),
                  image.header().getPostgresMajor(),
                  image.header().getDataChecksums());
            }
            Files.writeString(origin(directory), origin);
            layout.seal(image.header());
          });
    }
  }

  private static void requireEmpty(Path root) throws IOException {
    if (!Files.isDirectory(root)) {
      return;
    }
    try (DirectoryStream<Path> entries = Files.newDirectoryStream(root)) {
      if (entries.iterator().hasNext()) {
        throw new AgentException(
            root
                + " is not empty, and holds no complete compute (a first start may have been"
                + " interrupted). Empty it, or name another --directory.");
      }
    }
  }

  /** A step of a start. */
  private interface Step {
    void run() throws IOException;
  }

  /**
   * @param layOut puts the image's files where they belong; the pageserver is asked for what the
   *     mounts need meanwhile
   */
  private static Volume opened(Volume volume, Step layOut) throws IOException {
    try {
      if (volume.options.eager()) {
        layOut.run();
        if (!volume.resumed) {
          new EagerCopy(volume.options, volume.source, volume.counters).run(volume.header);
        }
      } else {
        volume.mountAll(layOut);
      }
      DiskSync.delete(volume.directory().stopped()); // a power cut must not bring it back
      return volume;
    } catch (IOException | RuntimeException e) {
      volume.source.close();
      throw e;
    }
  }

  private static ThinImageHeader header(Path file) throws IOException {
    try {
      return ThinImageHeader.parseFrom(
          Envelope.body(FileKind.IMAGE_HEADER, file.toString(), Files.readAllBytes(file)));
    } catch (FormatException e) {
      throw new AgentException(String.valueOf(e.getMessage()), e);
    }
  }

  private static Path origin(ComputeDirectory directory) {
    return directory.root().resolve("origin");
  }

  private static void checkResumable(ComputeDirectory directory, String origin) throws IOException {
    if (!Files.readString(origin(directory)).equals(origin)) {
      throw new AgentException(
          directory.root()
              + " was made for another timeline or mode ("
              + Files.readString(origin(directory)).strip().replace('\n', ' ')
              + "). Name another --directory.");
    }
    if (!Files.exists(directory.stopped())) {
      throw new AgentException(
          directory.root()
              + " was not stopped cleanly: its agent or the machine died, so what is local cannot"
              + " be trusted. Start anew: remove the directory (what was written since its image"
              + " and not streamed out is lost with it), or name another --directory.");
    }
  }

  /** The layout that the volume's own files are written with. */
  public ImageLayout layout() {
    return new ImageLayout(
        options.directory(), options.eager(), options.user(), options.group(), options.chown());
  }

  /** Whether the directory was there already. */
  public boolean resumed() {
    return resumed;
  }

  public ThinImageHeader header() {
    return header;
  }

  public ComputeDirectory directory() {
    return options.directory();
  }

  public MountCounters counters() {
    return counters;
  }

  private void mountAll(Step layOut) throws IOException {
    ComputeDirectory directory = directory();
    Map<Integer, List<dev.varve.compute.mount.DatabaseDirectory>> databases = new LinkedHashMap<>();
    databases.put(ComputeDirectory.DEFAULT_TABLESPACE, new ArrayList<>());
    Map<Integer, Integer> mountOf = new HashMap<>();
    mountOf.put(ComputeDirectory.DEFAULT_TABLESPACE, ComputeDirectory.DEFAULT_TABLESPACE);
    for (Tablespace tablespace : header.getTablespacesList()) {
      int mount = directory.isInPlace(tablespace) ? ComputeDirectory.IN_PLACE : tablespace.getOid();
      mountOf.put(tablespace.getOid(), mount);
      databases.putIfAbsent(mount, new ArrayList<>());
    }
    for (DatabaseDirectory entry : header.getDirectoriesList()) {
      Integer mount = mountOf.get(entry.getTablespaceOid());
      if (mount == null) {
        throw new IOException(
            "the image names a directory in the unknown tablespace "
                + Integer.toUnsignedString(entry.getTablespaceOid()));
      }
      String path = inTablespace(header, entry);
      Objects.requireNonNull(databases.get(mount))
          .add(
              new dev.varve.compute.mount.DatabaseDirectory(
                  mount == ComputeDirectory.IN_PLACE
                      ? Integer.toUnsignedString(entry.getTablespaceOid()) + "/" + path
                      : path,
                  entry.getDatabaseOid()));
    }
    List<PageMount.Prepared> prepared = new ArrayList<>();
    for (var one : databases.entrySet()) {
      prepared.add(prepare(one.getKey(), one.getValue()));
    }
    for (SlruDirectory slru : SlruDirectory.inPart(header)) {
      prepared.add(prepare(slru));
    }
    layOut.run();
    try {
      for (PageMount.Prepared one : prepared) {
        mounts.add(one.mount());
      }
    } catch (IOException e) {
      try {
        unmountAll();
      } catch (IOException second) {
        e.addSuppressed(second);
      }
      throw e;
    }
  }

  private PageMount.Prepared prepare(
      int oid, List<dev.varve.compute.mount.DatabaseDirectory> databases) throws IOException {
    ComputeDirectory directory = directory();
    return PageMount.prepare(
        new PageMount.Plan(
            oid,
            oid == ComputeDirectory.IN_PLACE
                ? directory.links()
                : directory.tablespace(header, oid),
            directory.overlay(oid),
            directory.tree(oid),
            databases,
            List.of(),
            options.user(),
            options.group(),
            options.fuse(),
            0),
        source,
        counters,
        log,
        resumed);
  }

  private PageMount.Prepared prepare(SlruDirectory slru) throws IOException {
    Map<Integer, List<SlruSegments.Run>> runs = new TreeMap<>();
    for (SlruPages pages : header.getSlruPagesList()) {
      if (SlruDirectory.of(pages.getSlru()) == slru) {
        runs.computeIfAbsent(pages.getSlru(), _ -> new ArrayList<>())
            .add(
                new SlruSegments.Run(
                    Integer.toUnsignedLong(pages.getFirstPage()),
                    Integer.toUnsignedLong(pages.getPageCount())));
      }
    }
    List<SlruSegments> segments = new ArrayList<>();
    runs.forEach((number, ofOne) ->
        segments.add(
            new SlruSegments(
                SlruDirectory.below(number), new RelationFork(0, 0, number, 0), ofOne)));
    FuseOptions fuse = options.fuse();
    return PageMount.prepare(
        new PageMount.Plan(
            0,
            directory().slru(slru),
            directory().overlay(slru),
            directory().tree(slru),
            List.of(),
            segments,
            options.user(),
            options.group(),
            new FuseOptions(
                SLRU_WORKERS, SLRU_TRANSFER_BYTES, fuse.writeback(), fuse.readAheadKilobytes()),
            SLRU_NODES),
        source,
        counters,
        log,
        resumed);
  }

  /** A database's directory below its tablespace. */
  static String inTablespace(ThinImageHeader header, DatabaseDirectory entry) {
    String database = Integer.toUnsignedString(entry.getDatabaseOid());
    for (Tablespace tablespace : header.getTablespacesList()) {
      if (tablespace.getOid() == entry.getTablespaceOid()) {
        return tablespace.getVersionDirectory() + "/" + database;
      }
    }
    return database;
  }

  /**
   * What went wrong with a mount so that PostgreSQL must be stopped at once; null while all is
   * well.
   */
  public @Nullable String failure() {
    for (PageMount mount : mounts) {
      if (mount.hasFailed()) {
        return "the mount " + mount.directory() + " ended though nobody unmounted it";
      }
    }
    if (counters.localWriteErrors() > 0) {
      return "the local disk refused a write below "
          + directory().root()
          + " (is it full?), so what PostgreSQL wrote may be lost";
    }
    return null;
  }

  /**
   * Why nothing can be read now; null while something can, as far as reads were tried. PostgreSQL
   * goes on with what is local, and reads are tried again.
   */
  public @Nullable String unreadable() {
    return log.unreadable();
  }

  /** Whether the last read failed. */
  public boolean isFailing() {
    return log.failure() != null;
  }

  /** Has it unreadable until a read succeeds, though reads still wait. */
  public void setUnreadable(String why) {
    if (log.failure() == null) {
      log.failed(new PageSourceException(why));
    }
    log.confirm();
  }

  /** Tries whether pages can be read; it is unreadable when they cannot within the limit. */
  public void probe(Duration limit) {
    long start = System.nanoTime();
    try {
      RelationList _ =
          source.relation(
              ComputeDirectory.DEFAULT_TABLESPACE,
              TEMPLATE1,
              PG_CLASS,
              () -> System.nanoTime() - start > limit.toNanos());
      log.succeeded();
    } catch (IOException e) {
      log.confirm();
    }
  }

  /**
   * From now on no read waits for the source for more than seconds, so that PostgreSQL can end and
   * the kernel write back while the pageserver is silent.
   */
  public void end() {
    mounts.forEach(PageMount::end);
  }

  /**
   * Unmounts and, unless something failed, marks the directory fit for another start. Everything is
   * on the disk before the mark is: the files of a stop that a power cut followed are trusted as
   * far as the mark is there. PostgreSQL must have ended. The source goes last: what the kernel
   * writes back may need the rest of a page.
   */
  public void close() throws IOException {
    String before = failure();
    try {
      unmountAll();
    } finally {
      source.close();
    }
    String failure = before == null ? failure() : before;
    if (failure == null) {
      DiskSync.fileSystem(directory().data());
      DiskSync.fileSystem(directory().root());
      DiskSync.write(directory().stopped(), "clean\n");
    } else {
      LOG.log(Level.SEVERE, "not marked as cleanly stopped: {0}", failure);
    }
  }

  /**
   * Takes the mounts away, used or not, and keeps nothing for another start. The source goes first,
   * so that no thread waits for pages.
   */
  public void discard() throws IOException {
    source.close();
    endAll(PageMount::discard);
  }

  private interface End {
    void of(PageMount mount) throws IOException;
  }

  private void unmountAll() throws IOException {
    endAll(PageMount::unmount);
  }

  private void endAll(End end) throws IOException {
    IOException failure = null;
    while (!mounts.isEmpty()) {
      PageMount mount = mounts.removeLast();
      try {
        end.of(mount);
      } catch (IOException e) {
        if (failure == null) {
          failure = e;
        } else {
          failure.addSuppressed(e);
        }
      }
    }
    if (failure != null) {
      throw failure;
    }
  }
}
