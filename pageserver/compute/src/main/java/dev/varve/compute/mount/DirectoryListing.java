package dev.varve.compute.mount;

import dev.varve.compute.fuse.Errno;
import dev.varve.compute.fuse.FuseException;
import dev.varve.compute.page.RelationFork;
import dev.varve.compute.page.RelationSize;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.logging.Logger;

/**
 * Fills a database's directory when it is first used, once, with the relations at the image's LSN.
 * A failure is answered with EIO and tried again at the next use. Thread-safe.
 */
final class DirectoryListing {
  private static final Logger LOG = Logger.getLogger(DirectoryListing.class.getName());

  private final MountTree tree;

  DirectoryListing(MountTree tree) {
    this.tree = tree;
  }

  /** Returns when the directory is listed; the first caller asks the source, others wait. */
  void await(Node.Directory directory) throws FuseException {
    FutureTask<Void> task;
    boolean mine = false;
    tree.lock().lock();
    try {
      if (directory.listed) {
        return;
      }
      FutureTask<Void> running = directory.listing;
      if (running == null) {
        running =
            new FutureTask<>(() -> {
              load(directory);
              return null;
            });
        directory.listing = running;
        mine = true;
      }
      task = running;
    } finally {
      tree.lock().unlock();
    }
    if (mine) {
      task.run();
    }
    try {
      task.get();
    } catch (ExecutionException e) {
      LOG.warning("listing " + tree.path(directory) + ": " + e.getCause());
      tree.fetcher().counters().sourceErrors.increment();
      throw new FuseException(Errno.EIO);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new FuseException(Errno.EIO);
    }
  }

  /** Forgets itself before it ends, so that whoever comes after a failure tries anew. */
  private void load(Node.Directory directory) throws IOException {
    List<RelationSize> relations = List.of();
    boolean known = false;
    try {
      relations = tree.fetcher().source().listRelations(tree.tablespace(), directory.database);
      tree.fetcher().counters().listings.increment();
      known = true;
    } finally {
      tree.lock().lock();
      try {
        directory.listing = null;
        for (RelationSize relation : relations) {
          add(directory, relation);
        }
        directory.listed = known;
      } finally {
        tree.lock().unlock();
      }
    }
  }

  private void add(Node.Directory directory, RelationSize relation) {
    RelationFork named = relation.fork();
    RelationFork source =
        new RelationFork(
            named.tablespace(), named.database(), named.relation(), relation.sourceFork());
    long left = relation.blocks();
    int segment = 0;
    do {
      int blocks = (int) Math.min(left, BlockSet.SEGMENT_BLOCKS);
      String name = named.fileName(segment);
      if (!directory.children.containsKey(name)) {
        tree.addSegment(directory, source, name, segment, blocks);
      }
      left -= blocks;
      segment++;
    } while (left > 0);
  }

  /**
   * Takes the files that the image laid into the overlay, such as PG_VERSION and pg_filenode.map,
   * into the tree. Nothing else is in the overlay yet.
   */
  void adopt() throws IOException {
    tree.lock().lock();
    try {
      adopt(tree.root());
    } finally {
      tree.lock().unlock();
    }
  }

  private void adopt(Node.Directory directory) throws IOException {
    Path path = tree.path(directory);
    if (!Files.isDirectory(path)) {
      return;
    }
    try (DirectoryStream<Path> entries = Files.newDirectoryStream(path)) {
      for (Path entry : entries) {
        String name = String.valueOf(entry.getFileName());
        Node child = directory.children.get(name);
        if (Files.isDirectory(entry)) {
          Node.Directory below =
              child instanceof Node.Directory known
                  ? known
                  : tree.addDirectory(directory, name, MountTree.DIRECTORY_MODE, 0);
          adopt(below);
        } else {
          if (child != null) {
            tree.remove(child); // listed meanwhile; the image's own file counts
          }
          tree.addLocalFile(directory, name, MountTree.FILE_MODE, entry, Files.size(entry));
        }
      }
    }
  }
}
