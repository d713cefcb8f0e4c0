package dev.varve.compute.mount;

import java.util.TreeMap;
import java.util.concurrent.FutureTask;
import org.jspecify.annotations.Nullable;

/** A file or directory of the tree. Mutable fields are guarded by the tree's lock. */
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
   * A directory. {@code database} is 0, or the database whose relations are listed on first use.
   */
  static final class Directory extends Node {
    final @Nullable Directory parent;
    final int database;
    final TreeMap<String, Node> children = new TreeMap<>();

    /** Whether {@link #children} is complete: always for a directory without a database. */
    volatile boolean listed;

    @Nullable FutureTask<Void> listing;

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
      this.listed = database == 0;
    }
  }

  /** A file. */
  static final class File extends Node {
    final LocalFile content;

    File(long id, String name, int mode, long modifiedNanos, LocalFile content) {
      super(id, name, mode, modifiedNanos);
      this.content = content;
    }
  }
}
