package dev.varve.compute.mount;

import dev.varve.compute.page.RelationFork;
import dev.varve.format.Envelope;
import dev.varve.format.FileKind;
import dev.varve.format.FormatException;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import org.jspecify.annotations.Nullable;

/**
 * The tree of a mount in a file, written after a clean unmount and taken back at the next start.
 *
 * <p>The body of its {@link Envelope}, big-endian: i32 tablespace (0: several, each by its OID, or
 * SLRUs), the root's files. A directory's files: i32 count of those that the source has and that
 * were removed, i64 for each as {@link RelationNames} or {@link SlruSegments} writes it, the same
 * for files that are parked, i32 count of entries, then per entry a byte kind (1 directory, 2 file,
 * 3 symbolic link), UTF name, i32 mode, i64 time; a directory goes on with i32 database and its
 * files; a link with UTF target; a file with byte hasSource, (i32 tablespace, database, relation,
 * fork, i64 first block), i32 remote blocks, i64 size, i64 bytes of the local file or -1, i32
 * words, i64 per word of the bitmap of local blocks.
 */
final class OverlayState {
  private static final int DIRECTORY = 1;
  private static final int FILE = 2;
  private static final int LINK = 3;

  private OverlayState() {}

  static void save(MountTree tree, Path file) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    tree.lock().lock(); // an eviction may be under way
    try (DataOutputStream out = new DataOutputStream(bytes)) {
      out.writeInt(tree.tablespace());
      writeChildren(tree.root(), out);
    } finally {
      tree.lock().unlock();
    }
    Path part = file.resolveSibling(file.getFileName() + ".part");
    Files.write(part, Envelope.seal(FileKind.MOUNT, bytes.toByteArray()));
    Files.move(part, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
  }

  private static void writeChildren(Node.Directory directory, DataOutputStream out)
      throws IOException {
    write(directory.removed, out);
    write(directory.parked, out);
    out.writeInt(directory.children.size());
    for (Node child : directory.children.values()) {
      out.writeByte(
          switch (child) {
            case Node.Directory _ -> DIRECTORY;
            case Node.File _ -> FILE;
            case Node.Link _ -> LINK;
          });
      out.writeUTF(child.name);
      out.writeInt(child.mode);
      out.writeLong(child.modifiedNanos);
      switch (child) {
        case Node.Directory below -> {
          out.writeInt(below.database);
          writeChildren(below, out);
        }
        case Node.File file -> writeFile(file.content.state(), out);
        case Node.Link link -> out.writeUTF(link.target);
      }
    }
  }

  private static void write(LongSet set, DataOutputStream out) throws IOException {
    out.writeInt(set.size());
    for (long key : set.values()) {
      out.writeLong(key);
    }
  }

  private static void read(LongSet set, DataInputStream in) throws IOException {
    for (int left = in.readInt(); left > 0; left--) {
      set.add(in.readLong());
    }
  }

  private static Path parkedState(MountTree tree, Node.Directory directory, String name) {
    return tree.path(directory).resolve(name + ".state");
  }

  /** Writes a file's state beside its local content: i64 time, what the tree's file has of it. */
  static void park(MountTree tree, Node.File file) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (DataOutputStream out = new DataOutputStream(bytes)) {
      out.writeLong(file.modifiedNanos);
      writeFile(file.content.state(), out);
    }
    Path state = parkedState(tree, file.parent, file.name);
    Files.createDirectories(state.resolveSibling(""));
    Files.write(state, Envelope.seal(FileKind.PARKED_FILE, bytes.toByteArray()));
  }

  /**
   * The node of a file that was parked.
   *
   * @throws IOException when its state cannot be read ({@link FormatException} says why), or its
   *     local content is not as it was left
   */
  static Node.File unpark(MountTree tree, Node.Directory directory, String name)
      throws IOException {
    Path state = parkedState(tree, directory, name);
    DataInputStream in = body(FileKind.PARKED_FILE, state);
    long time = in.readLong();
    LocalFile content = readFile(tree, tree.path(directory).resolve(name), in);
    Node.File made = tree.addFile(directory, name, MountTree.FILE_MODE, content);
    made.modifiedNanos = time;
    Files.delete(state);
    return made;
  }

  private static void writeFile(LocalFile.State state, DataOutputStream out) throws IOException {
    LocalFile.Source source = state.source();
    out.writeBoolean(source != null);
    if (source != null) {
      RelationFork fork = source.fork();
      out.writeInt(fork.tablespace());
      out.writeInt(fork.database());
      out.writeInt(fork.relation());
      out.writeInt(fork.fork());
      out.writeLong(source.firstBlock());
    }
    out.writeInt(state.remoteBlocks());
    out.writeLong(state.size());
    out.writeLong(state.backingBytes());
    out.writeInt(state.local().length);
    for (long word : state.local()) {
      out.writeLong(word);
    }
  }

  /**
   * Fills an empty tree.
   *
   * @throws IOException when the file cannot be read ({@link FormatException} says why), or a local
   *     file is not as it was left
   */
  static void load(MountTree tree, Path file) throws IOException {
    DataInputStream in = body(FileKind.MOUNT, file);
    if (in.readInt() != tree.tablespace()) {
      throw new IOException(file + " is not the overlay state of tablespace " + tree.tablespace());
    }
    readChildren(tree, tree.root(), in);
  }

  private static DataInputStream body(FileKind kind, Path file) throws IOException {
    try {
      byte[] body = Envelope.body(kind, file.toString(), Files.readAllBytes(file));
      return new DataInputStream(new ByteArrayInputStream(body));
    } catch (FormatException e) {
      throw new IOException(e.getMessage(), e);
    }
  }

  private static void readChildren(MountTree tree, Node.Directory directory, DataInputStream in)
      throws IOException {
    read(directory.removed, in);
    read(directory.parked, in);
    int count = in.readInt();
    for (int i = 0; i < count; i++) {
      int kind = in.readByte();
      String name = in.readUTF();
      int mode = in.readInt();
      long time = in.readLong();
      if (kind == LINK) {
        tree.addLink(directory, name, in.readUTF()).modifiedNanos = time;
      } else if (kind == DIRECTORY) {
        Node.Directory below = tree.addDirectory(directory, name, mode, in.readInt());
        below.modifiedNanos = time;
        readChildren(tree, below, in);
      } else if (kind == FILE) {
        LocalFile content = readFile(tree, tree.path(directory).resolve(name), in);
        tree.addFile(directory, name, mode, content).modifiedNanos = time;
      } else {
        throw new IOException(
            tree.path(directory).resolve(name) + " is of the unknown kind " + kind);
      }
    }
  }

  private static LocalFile readFile(MountTree tree, Path backing, DataInputStream in)
      throws IOException {
    LocalFile.@Nullable Source source = null;
    if (in.readBoolean()) {
      RelationFork fork = new RelationFork(in.readInt(), in.readInt(), in.readInt(), in.readInt());
      source = new LocalFile.Source(fork, in.readLong());
    }
    int remoteBlocks = in.readInt();
    long size = in.readLong();
    long backingBytes = in.readLong();
    long[] words = new long[in.readInt()];
    for (int i = 0; i < words.length; i++) {
      words[i] = in.readLong();
    }
    long found = Files.exists(backing) ? Files.size(backing) : -1;
    if (found != backingBytes) {
      throw new IOException(
          backing
              + " was changed since the last stop: "
              + found
              + " bytes instead of "
              + backingBytes);
    }
    return new LocalFile(
        tree.fetcher(), tree.disk(), backing, source, remoteBlocks, new BlockSet(words), size);
  }
}
