package dev.varve.compute.mount;

import dev.varve.compute.fuse.Errno;
import dev.varve.compute.fuse.FuseException;
import dev.varve.compute.page.AbandonedException;
import dev.varve.compute.page.RelationFork;
import dev.varve.compute.page.RelationList;
import dev.varve.compute.page.Waiter;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CountDownLatch;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.jspecify.annotations.Nullable;

/**
 * What directories hold beside local files: the relations of a database, or the old segments of an
 * SLRU, at the image's LSN. A file gets a node when it is looked up.
 *
 * <p>The list of a database is asked for when its directory is first used, and held in the {@link
 * ListingCache}; that of a large one is not held: it is read a page at a time when the directory is
 * read, and of a file only its relation is asked for. A failure is answered with EIO and tried
 * again at the next use. Thread-safe.
 */
final class DirectoryListing {
  private static final Logger LOG = Logger.getLogger(DirectoryListing.class.getName());

  /** Forks up to which a list is held: 288 kB. */
  static final int HELD_FORKS = 32_768;

  private final MountTree tree;
  private final ListingCache cache;

  DirectoryListing(MountTree tree, ListingCache cache) {
    this.tree = tree;
    this.cache = cache;
  }

  /** A list that is being asked for. */
  static final class Fetch {
    private final CountDownLatch done = new CountDownLatch(1);

    /** Sorted; null when the database is large, or after a failure. */
    private volatile @Nullable RelationList list;

    private volatile @Nullable IOException failure;
  }

  /**
   * All relations of a database's directory, sorted; null when they are too many to be held. The
   * first caller asks the source, others wait.
   */
  @Nullable RelationList held(Node.Directory directory, Waiter waiter) throws FuseException {
    while (true) {
      RelationList known = cache.get(directory);
      if (known != null || directory.large) {
        return known;
      }
      Fetch fetch;
      boolean mine = false;
      tree.lock().lock();
      try {
        if (directory.listing == null) {
          directory.listing = new Fetch();
          mine = true;
        }
        fetch = directory.listing;
      } finally {
        tree.lock().unlock();
      }
      if (mine) {
        load(directory, fetch, waiter);
      } else {
        tree.fetcher().await(fetch.done, waiter);
      }
      IOException failure = fetch.failure;
      if (failure != null && (mine || !(failure instanceof AbandonedException))) {
        throw tree.fetcher().failed(failure);
      }
      if (failure == null) {
        return fetch.list;
      }
    }
  }

  /** Is done with the fetch before it ends, so that whoever comes after a failure tries anew. */
  private void load(Node.Directory directory, Fetch fetch, Waiter waiter) {
    fetch.failure = new IOException("listing " + tree.path(directory) + " failed");
    try {
      RelationList all = RelationList.EMPTY;
      do {
        all = all.and(page(directory, all.nextPosition(), waiter));
      } while (all.nextPosition() != 0 && all.size() <= HELD_FORKS);
      if (all.nextPosition() != 0) {
        directory.large = true;
      } else {
        RelationList sorted = all.sorted();
        cache.put(directory, sorted);
        fetch.list = sorted;
      }
      fetch.failure = null;
    } catch (IOException e) {
      fetch.failure = e;
    } finally {
      forget(directory);
      fetch.done.countDown();
    }
  }

  private void forget(Node.Directory directory) {
    tree.lock().lock();
    try {
      directory.listing = null;
    } finally {
      tree.lock().unlock();
    }
  }

  /** A page of a database's list. */
  RelationList page(Node.Directory directory, int position, Waiter waiter) throws IOException {
    RelationList page =
        tree.fetcher().list(tree.tablespace(directory), directory.database, position, waiter);
    tree.fetcher().counters().listings.increment();
    return page;
  }

  /** The node of a name; null when there is no such file, which is then known. */
  @Nullable Node find(Node.Directory directory, String name, Waiter waiter) throws FuseException {
    long key = directory.key(name);
    tree.lock().lock();
    try {
      Node child = directory.children.get(name);
      if (child instanceof Node.File file) {
        file.used = true;
      }
      if (child != null || key == 0) {
        return child;
      }
      if (directory.parked.contains(key)) {
        return unparked(directory, name, key);
      }
    } finally {
      tree.lock().unlock();
    }
    if (directory.slru != null) {
      return segment(directory, directory.slru, name, key);
    }
    RelationList list = held(directory, waiter);
    if (list == null) {
      list = relation(directory, RelationNames.relation(key), waiter);
    }
    int index = list.find(RelationNames.relation(key), RelationNames.fork(key));
    if (index < 0) {
      return null;
    }
    tree.lock().lock();
    try {
      Node child = directory.children.get(name);
      if (child != null || directory.removed.contains(key)) {
        return child;
      }
      return directory.parked.contains(key)
          ? unparked(directory, name, key)
          : add(directory, name, key, list, index);
    } finally {
      tree.lock().unlock();
    }
  }

  private @Nullable Node segment(Node.Directory directory, SlruSegments slru, String name, long key)
      throws FuseException {
    int pages = slru.pages(key);
    tree.lock().lock();
    try {
      Node child = directory.children.get(name);
      if (child != null || directory.removed.contains(key)) {
        return child;
      }
      if (directory.parked.contains(key)) {
        return unparked(directory, name, key);
      }
      return pages == 0 ? null : tree.addSegment(directory, slru.source(key), name, pages);
    } finally {
      tree.lock().unlock();
    }
  }

  private Node unparked(Node.Directory directory, String name, long key) throws FuseException {
    try {
      Node found = OverlayState.unpark(tree, directory, name);
      directory.parked.remove(key);
      return found;
    } catch (IOException e) {
      LOG.log(Level.SEVERE, "the local content of " + name + " is lost", e);
      tree.fetcher().counters().localWriteErrors.incrementAndGet();
      throw new FuseException(Errno.EIO);
    }
  }

  /** PostgreSQL looks for a relation's forks and segments one after the other. */
  private RelationList relation(Node.Directory directory, int relation, Waiter waiter)
      throws FuseException {
    tree.lock().lock();
    try {
      RelationList known = directory.asked.get(relation);
      if (known != null) {
        return known;
      }
    } finally {
      tree.lock().unlock();
    }
    RelationList answer;
    try {
      answer =
          tree.fetcher().relation(tree.tablespace(directory), directory.database, relation, waiter);
    } catch (IOException e) {
      throw tree.fetcher().failed(e);
    }
    tree.lock().lock();
    try {
      directory.asked.put(relation, answer);
    } finally {
      tree.lock().unlock();
    }
    return answer;
  }

  private @Nullable Node add(
      Node.Directory directory, String name, long key, RelationList list, int index) {
    int segment = RelationNames.segment(key);
    long blocks = list.blocks(index);
    if (segment >= RelationNames.segments(blocks)) {
      return null;
    }
    RelationFork source =
        new RelationFork(
            tree.tablespace(directory),
            directory.database,
            list.relation(index),
            list.sourceFork(index));
    long left = blocks - (long) segment * BlockSet.SEGMENT_BLOCKS;
    return tree.addSegment(
        directory,
        new LocalFile.Source(source, (long) segment * BlockSet.SEGMENT_BLOCKS),
        name,
        (int) Math.min(left, BlockSet.SEGMENT_BLOCKS));
  }

  /** What a file holds; null when there is no such file. */
  @Nullable LocalFile content(Node.Directory directory, String name) throws FuseException {
    return find(directory, name, Waiter.PATIENT) instanceof Node.File file ? file.content : null;
  }

  /** Whether nothing is in a directory. */
  boolean isEmpty(Node.Directory directory, Waiter waiter) throws FuseException {
    ListingStream stream = new ListingStream(tree, this, directory);
    return stream.entry(ListingStream.DOTS, waiter) == null;
  }

  /** Forgets the lists of a tree that is no longer mounted. */
  void close() {
    tree.databases().forEach(cache::remove);
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
        if (Files.isSymbolicLink(entry)) {
          tree.addLink(directory, name, Files.readSymbolicLink(entry).toString());
        } else if (Files.isDirectory(entry)) {
          Node.Directory below =
              child instanceof Node.Directory known
                  ? known
                  : tree.addDirectory(directory, name, MountTree.DIRECTORY_MODE, 0);
          adopt(below);
        } else {
          if (child != null) {
            tree.remove(child); // looked up meanwhile; the image's own file counts
          }
          tree.addLocalFile(directory, name, MountTree.FILE_MODE, entry, Files.size(entry));
        }
      }
    }
  }
}
