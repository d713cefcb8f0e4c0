package dev.varve.compute.image;

import dev.varve.api.v1.Tablespace;
import dev.varve.api.v1.ThinImageHeader;
import dev.varve.format.Envelope;
import dev.varve.format.FileKind;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Lays an image out below a {@link ComputeDirectory}: PostgreSQL's files in the data directory,
 * those below {@code base/} and {@code pg_tblspc/}, and of SLRUs that the image has in part, in the
 * overlays of their mounts (or in place, in eager mode).
 *
 * <p>Entries that would land elsewhere, links and devices are refused. Files and directories get
 * the modes 0600 and 0700 and PostgreSQL's owner. A run of zeros in a file becomes a hole.
 */
public final class ImageLayout {
  private static final int CHUNK_BYTES = 64 << 10;

  /** A piece of a WAL segment: the file's name and the piece's offset. */
  private static final Pattern WAL_PIECE = Pattern.compile("(pg_wal/[0-9A-F]{24})@([0-9]{1,10})");

  private static final byte[] ZEROS = new byte[CHUNK_BYTES];
  private static final Set<PosixFilePermission> FILE_MODE =
      PosixFilePermissions.fromString("rw-------");
  private static final Set<PosixFilePermission> DIRECTORY_MODE =
      PosixFilePermissions.fromString("rwx------");
  private static final Set<StandardOpenOption> NEW_FILE =
      EnumSet.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);

  private final ComputeDirectory directory;
  private final boolean eager;
  private final int user;
  private final int group;
  private final boolean chown;
  private final Set<Path> made = new HashSet<>();
  private final byte[] chunk = new byte[CHUNK_BYTES];

  /**
   * @param chown give everything to {@code user} and {@code group}, which only root may
   */
  public ImageLayout(
      ComputeDirectory directory, boolean eager, int user, int group, boolean chown) {
    this.directory = directory;
    this.eager = eager;
    this.user = user;
    this.group = group;
    this.chown = chown;
  }

  /**
   * Reads the whole stream. The header file, which marks the layout complete, is the caller's last
   * step: {@link #seal}.
   */
  public void unpack(ImageSource image) throws IOException {
    ThinImageHeader header = image.header();
    make(directory.root());
    make(directory.data());
    make(directory.data().resolve("base"));
    make(directory.socket());
    make(directory.root().resolve("state"));
    make(directory.overlay(ComputeDirectory.DEFAULT_TABLESPACE));
    for (Tablespace tablespace : header.getTablespacesList()) {
      if (eager || !directory.isInPlace(tablespace)) {
        make(directory.tablespace(header, tablespace.getOid()));
      }
      if (!eager) {
        make(place(header, tablespace.getOid(), ""));
      }
    }
    Set<SlruDirectory> slrus = SlruDirectory.inPart(header);
    if (eager && !slrus.isEmpty()) {
      throw new IOException("the image has SLRUs in part, and there is no mount for the rest");
    }
    for (SlruDirectory slru : slrus) {
      make(directory.slru(slru));
      make(directory.overlay(slru));
    }
    TarReader tar = new TarReader(image.tar());
    for (TarReader.Entry entry = tar.next(); entry != null; entry = tar.next()) {
      Matcher piece = WAL_PIECE.matcher(entry.name());
      Path target = target(header, piece.matches() ? piece.group(1) : entry.name());
      if (entry.directory()) {
        make(target);
      } else if (piece.matches()) {
        writeWal(tar, target, Long.parseLong(piece.group(2)), header.getWalSegmentBytes());
      } else {
        make(parent(target));
        write(tar, target);
      }
    }
    make(directory.links());
    boolean mounted = !eager && header.getTablespacesList().stream().anyMatch(directory::isInPlace);
    Path links = mounted ? directory.overlay(ComputeDirectory.IN_PLACE) : directory.links();
    make(links);
    for (Tablespace tablespace : header.getTablespacesList()) {
      if (!directory.isInPlace(tablespace)) {
        Files.createSymbolicLink(
            links.resolve(Integer.toUnsignedString(tablespace.getOid())),
            directory.tablespace(header, tablespace.getOid()));
      }
    }
  }

  /** Marks the layout complete. */
  public void seal(ThinImageHeader header) throws IOException {
    Files.write(directory.image(), Envelope.seal(FileKind.IMAGE_HEADER, header.toByteArray()));
  }

  /** A file of PostgreSQL's own, such as its configuration. */
  public void file(Path target, String text) throws IOException {
    Files.writeString(target, text);
    Files.setPosixFilePermissions(target, FILE_MODE);
    own(target);
  }

  private Path target(ThinImageHeader header, String name) throws IOException {
    String plain = name.endsWith("/") ? name.substring(0, name.length() - 1) : name;
    for (String step : plain.split("/", -1)) {
      if (step.isEmpty() || step.equals(".") || step.equals("..") || step.indexOf('\0') >= 0) {
        throw new IOException(
            "the image holds the name " + name + ", which leads out of the data directory");
      }
    }
    if (plain.startsWith("base/")) {
      return place(header, ComputeDirectory.DEFAULT_TABLESPACE, plain.substring("base/".length()));
    }
    if (plain.startsWith("pg_tblspc/")) {
      String rest = plain.substring("pg_tblspc/".length());
      int slash = rest.indexOf('/');
      int oid;
      try {
        oid = Integer.parseUnsignedInt(slash < 0 ? rest : rest.substring(0, slash));
      } catch (NumberFormatException e) {
        throw new IOException("the image holds " + name + ", which is no tablespace", e);
      }
      return place(header, oid, slash < 0 ? "" : rest.substring(slash + 1));
    }
    for (SlruDirectory slru : SlruDirectory.inPart(header)) {
      if (plain.startsWith(slru.path() + "/")) {
        return directory.overlay(slru).resolve(plain.substring(slru.path().length() + 1));
      }
    }
    return directory.data().resolve(plain);
  }

  private Path place(ThinImageHeader header, int tablespace, String rest) throws IOException {
    Path root;
    try {
      root = directory.tablespace(header, tablespace);
    } catch (IllegalArgumentException e) {
      throw new IOException("the image holds files of a tablespace that its header has not", e);
    }
    if (!eager) {
      root =
          root.startsWith(directory.links())
              ? directory
                  .overlay(ComputeDirectory.IN_PLACE)
                  .resolve(Integer.toUnsignedString(tablespace))
              : directory.overlay(tablespace);
    }
    return rest.isEmpty() ? root : root.resolve(rest);
  }

  private static Path parent(Path target) throws IOException {
    Path parent = target.getParent();
    if (parent == null) {
      throw new IOException("no directory for " + target);
    }
    return parent;
  }

  private void make(Path path) throws IOException {
    if (!made.add(path)) {
      return;
    }
    if (path.startsWith(directory.root()) && !path.equals(directory.root())
        || path.startsWith(directory.data()) && !path.equals(directory.data())) {
      make(parent(path));
    } else {
      Files.createDirectories(parent(path));
    }
    if (!Files.isDirectory(path)) {
      Files.createDirectory(path, PosixFilePermissions.asFileAttribute(DIRECTORY_MODE));
    } else {
      Files.setPosixFilePermissions(path, DIRECTORY_MODE);
    }
    own(path);
  }

  /** By Java's own means: a start would wait for {@link dev.varve.compute.fuse.Libc} here. */
  private void own(Path path) throws IOException {
    if (chown) {
      Files.setAttribute(path, "unix:uid", user);
      Files.setAttribute(path, "unix:gid", group);
    }
  }

  private void writeWal(InputStream from, Path target, long offset, int segmentBytes)
      throws IOException {
    byte[] piece = from.readNBytes(CHUNK_BYTES);
    if (from.read() >= 0 || offset + piece.length > segmentBytes) {
      throw new IOException("the image holds a piece of " + target + " that is too long");
    }
    boolean isNew = !Files.exists(target);
    if (isNew) {
      make(parent(target));
      Files.createFile(target, PosixFilePermissions.asFileAttribute(FILE_MODE));
      own(target);
    }
    try (FileChannel to = FileChannel.open(target, StandardOpenOption.WRITE)) {
      if (isNew) {
        to.write(ByteBuffer.allocate(1), segmentBytes - 1L);
      }
      ByteBuffer bytes = ByteBuffer.wrap(piece);
      while (bytes.hasRemaining()) {
        to.write(bytes, offset + bytes.position());
      }
    }
  }

  private void write(InputStream from, Path target) throws IOException {
    try (FileChannel to =
        FileChannel.open(target, NEW_FILE, PosixFilePermissions.asFileAttribute(FILE_MODE))) {
      long at = 0;
      boolean hole = false;
      for (int got = from.readNBytes(chunk, 0, CHUNK_BYTES);
          got > 0;
          got = from.readNBytes(chunk, 0, CHUNK_BYTES)) {
        hole = java.util.Arrays.equals(chunk, 0, got, ZEROS, 0, got);
        if (!hole) {
          ByteBuffer bytes = ByteBuffer.wrap(chunk, 0, got);
          while (bytes.hasRemaining()) {
            to.write(bytes, at + bytes.position());
          }
        }
        at += got;
      }
      if (hole) {
        to.write(ByteBuffer.allocate(1), at - 1);
      }
    }
    own(target);
  }
}
