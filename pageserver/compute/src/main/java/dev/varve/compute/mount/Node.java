package dev.varve.compute.mount;

import dev.varve.compute.page.RelationList;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * A file, directory or symbolic link of the tree. Mutable fields are guarded by the tree's lock.
 */
abstract sealed class Node {
  final long id;
  String name;
  int mode;
  long modifiedNanos;
  boolean unlinked;

  /** References the kernel holds; only those of unlinked nodes matter. */
  long lookups;

  private Node(long id, String name, int mode, long modifiedNanos) {
    this.id = id;
    this.name = name;
    this.mode = mode;
    this.modifiedNanos = modifiedNanos;
  }

  /**
   * A directory. {@code database} is 0, or the database whose relations it has beside {@link
   * #children}; or it has the segments of an SLRU. The source's files are named by keys, as {@link
   * RelationNames} or {@link SlruSegments} write them.
   */
  static final class Directory extends Node {
    private static final int ASKED = 256;

    final @Nullable Directory parent;
    final int database;
    final TreeMap<String, Node> children = new TreeMap<>();

    /** Set before the mount is used. */
    @Nullable SlruSegments slru;

    /** What the source has and is here no more. */
    final LongSet removed = new LongSet();

    /** Files whose state is in a file, see {@link NodeEviction}. */
    final LongSet parked = new LongSet();

    /** The database's list is too long to be held. */
    volatile boolean large;

    DirectoryListing.@Nullable Fetch listing;

    /** Relations of a large database that were asked for lately. */
    final LinkedHashMap<Integer, RelationList> asked =
        new LinkedHashMap<>(16, 0.75f, true) {
          private static final long serialVersionUID = 1L;

          @Override
          protected boolean removeEldestEntry(Map.Entry<Integer, RelationList> eldest) {
            return size() > ASKED;
          }
        };

    Directory(
        long id,
        String name,
        int mode,
        long modifiedNanos,
        @Nullable Directory parent,
        int database) {
      super(id, name, mode, modifiedNanos);
      this.parent = parent;
      this.database = database;
    }

    /** Whether the source has files in it. */
    boolean hasSource() {
      return database != 0 || slru != null;
    }

    /** The key of a name; 0 when the source can have no such file. */
    long key(String file) {
      if (slru != null) {
        return SlruSegments.parse(file);
      }
      return database == 0 ? 0 : RelationNames.parse(file);
    }

    /** Whether a file of this name, if it is the source's, has that content. */
    boolean isNamed(LocalFile.Source source, String file) {
      if (slru != null) {
        return slru.source(SlruSegments.parse(file)).equals(source);
      }
      return source.fork().database() == database
          && source
              .fork()
              .fileName((int) (source.firstBlock() / BlockSet.SEGMENT_BLOCKS))
              .equals(file);
    }
  }

  /** A file. */
  static final class File extends Node {
    final LocalFile content;
    Directory parent;

    /** It was looked up lately. */
    boolean used = true;

    File(long id, String name, int mode, long modifiedNanos, Directory parent, LocalFile content) {
      super(id, name, mode, modifiedNanos);
      this.parent = parent;
      this.content = content;
    }
  }

  /** A symbolic link: a tablespace that was made elsewhere. */
  static final class Link extends Node {
    static final int MODE = 0777;

    final String target;

    Link(long id, String name, long modifiedNanos, String target) {
      super(id, name, MODE, modifiedNanos);
      this.target = target;
    }
  }
}
