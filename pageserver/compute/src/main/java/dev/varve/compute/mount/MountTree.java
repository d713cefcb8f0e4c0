package dev.varve.compute.mount;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The nodes of one mount, by id and by parent. Changed under {@link #lock}; {@link #get} needs no
 * lock.
 */
final class MountTree {
  static final int FILE_MODE = 0600;
  static final int DIRECTORY_MODE = 0700;

  /**
   * In place of a tablespace: the tree is {@code pg_tblspc}, with several, each by its OID; or it
   * has SLRUs.
   */
  static final int SEVERAL = 0;

  private final int tablespace;
  private final Path overlay;
  private final PageFetcher fetcher;
  private final LocalDisk disk;
  private final ReentrantLock lock = new ReentrantLock();
  private final ConcurrentHashMap<Long, Node> nodes = new ConcurrentHashMap<>();
  private final AtomicLong nextId = new AtomicLong(1);
  private final Node.Directory root;

  MountTree(int tablespace, Path overlay, PageFetcher fetcher) {
    this.tablespace = tablespace;
    this.overlay = overlay;
    this.fetcher = fetcher;
    this.disk = new LocalDisk(overlay, fetcher.counters());
    this.root = addDirectory(null, "", DIRECTORY_MODE, 0);
  }

  static long now() {
    return System.currentTimeMillis() * 1_000_000L;
  }

  int tablespace() {
    return tablespace;
  }

  /** The tablespace of a database's directory. */
  int tablespace(Node.Directory database) {
    if (tablespace != SEVERAL) {
      return tablespace;
    }
    Node.Directory at = database;
    while (at.parent != null && at.parent != root) {
      at = at.parent;
    }
    return Integer.parseUnsignedInt(at.name);
  }

  Path overlay() {
    return overlay;
  }

  PageFetcher fetcher() {
    return fetcher;
  }

  LocalDisk disk() {
    return disk;
  }

  ReentrantLock lock() {
    return lock;
  }

  Node.Directory root() {
    return root;
  }

  @Nullable Node get(long id) {
    return nodes.get(id);
  }

  /** The directories that have a database's relations. */
  List<Node.Directory> databases() {
    List<Node.Directory> found = new ArrayList<>();
    for (Node node : nodes.values()) {
      if (node instanceof Node.Directory directory && directory.database != 0) {
        found.add(directory);
      }
    }
    return found;
  }

  /** Changes meanwhile may show or not. */
  Iterable<Node> nodes() {
    return nodes.values();
  }

  /** Nodes that there are. */
  int size() {
    return nodes.size();
  }

  void remove(Node node) {
    nodes.remove(node.id);
  }

  Path path(Node.Directory directory) {
    return directory.parent == null ? overlay : path(directory.parent).resolve(directory.name);
  }

  Node.Directory addDirectory(
      Node.@Nullable Directory parent, String name, int mode, int database) {
    Node.Directory made =
        new Node.Directory(nextId.getAndIncrement(), name, mode, now(), parent, database);
    nodes.put(made.id, made);
    if (parent != null) {
      parent.children.put(name, made);
    }
    return made;
  }

  Node.Link addLink(Node.Directory parent, String name, String target) {
    Node.Link made = new Node.Link(nextId.getAndIncrement(), name, now(), target);
    nodes.put(made.id, made);
    parent.children.put(name, made);
    return made;
  }

  Node.File addLocalFile(Node.Directory parent, String name, int mode, Path backing, long size) {
    return addFile(
        parent, name, mode, new LocalFile(fetcher, disk, backing, null, 0, new BlockSet(), size));
  }

  Node.File addSegment(Node.Directory parent, LocalFile.Source source, String name, int blocks) {
    long bytes = (long) blocks * dev.varve.compute.page.PageSource.PAGE_BYTES;
    return addFile(
        parent,
        name,
        FILE_MODE,
        new LocalFile(
            fetcher, disk, path(parent).resolve(name), source, blocks, new BlockSet(), bytes));
  }

  Node.File addFile(Node.Directory parent, String name, int mode, LocalFile content) {
    Node.File made = new Node.File(nextId.getAndIncrement(), name, mode, now(), parent, content);
    nodes.put(made.id, made);
    parent.children.put(name, made);
    return made;
  }
}
