package dev.varve.compute.mount;

import dev.varve.compute.fuse.FuseAttributes;
import dev.varve.compute.fuse.FuseCaller;
import dev.varve.compute.fuse.FuseDirectoryEntry;
import dev.varve.compute.fuse.FuseDirectoryStream;
import dev.varve.compute.fuse.FuseException;
import dev.varve.compute.page.RelationList;
import dev.varve.compute.page.Waiter;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * An open directory: the two dots, the files that it had locally when it was opened, then what the
 * source has beside them, a page of its list at a time. A file that is made meanwhile may be
 * missing, one that is removed meanwhile may still be there, as POSIX allows.
 */
final class ListingStream implements FuseDirectoryStream {
  /** Entries before the first file. */
  static final int DOTS = 2;

  /** Marks the numbers of entries that have no node yet. */
  private static final long NO_NODE = 1L << 62;

  private final MountTree tree;
  private final DirectoryListing listing;
  private final Node.Directory directory;
  private final ReentrantLock lock = new ReentrantLock();
  private final List<FuseDirectoryEntry> nodes = new ArrayList<>();

  /** Files that had no node, since they were parked. */
  private final long[] parked;

  /** Segments that are among {@link #nodes} or {@link #parked}. */
  private final LongSet shown = new LongSet();

  // Where the source's part is read: a page, a fork in it, a segment of that.
  private RelationList page = RelationList.EMPTY;
  private int fork;
  private int segment;
  private boolean begun;

  /** The last segment of an SLRU that was looked at. */
  private long slruKey;

  /** The last entry that was asked for. */
  private @Nullable FuseDirectoryEntry current;

  private long currentIndex = -1;

  ListingStream(MountTree tree, DirectoryListing listing, Node.Directory directory) {
    this.tree = tree;
    this.listing = listing;
    this.directory = directory;
    tree.lock().lock();
    try {
      nodes.add(new FuseDirectoryEntry(directory.id, ".", FuseAttributes.TYPE_DIRECTORY));
      long up = directory.parent == null ? directory.id : directory.parent.id;
      nodes.add(new FuseDirectoryEntry(up, "..", FuseAttributes.TYPE_DIRECTORY));
      for (Node child : directory.children.values()) {
        int type =
            switch (child) {
              case Node.Directory _ -> FuseAttributes.TYPE_DIRECTORY;
              case Node.File _ -> FuseAttributes.TYPE_FILE;
              case Node.Link _ -> FuseAttributes.TYPE_LINK;
            };
        nodes.add(new FuseDirectoryEntry(child.id, child.name, type));
        long key = directory.key(child.name);
        if (key != 0) {
          shown.add(key);
        }
      }
      parked = directory.parked.values();
      for (long key : parked) {
        shown.add(key);
      }
    } finally {
      tree.lock().unlock();
    }
  }

  @Override
  public @Nullable FuseDirectoryEntry entry(long index, FuseCaller caller) throws FuseException {
    return entry(index, caller::mustReturn);
  }

  @Nullable FuseDirectoryEntry entry(long index, Waiter waiter) throws FuseException {
    lock.lock();
    try {
      if (index < nodes.size()) {
        return nodes.get((int) index);
      }
      if (index < nodes.size() + parked.length) {
        return entry(parked[(int) index - nodes.size()]);
      }
      if (!directory.hasSource()) {
        return null;
      }
      if (currentIndex < 0 || index < currentIndex) {
        page = RelationList.EMPTY;
        fork = 0;
        segment = 0;
        begun = false;
        slruKey = 0;
        current = null;
        currentIndex = nodes.size() + parked.length - 1L;
      }
      while (currentIndex < index) {
        FuseDirectoryEntry next = next(waiter);
        if (next == null) {
          return null;
        }
        current = next;
        currentIndex++;
      }
      return current;
    } finally {
      lock.unlock();
    }
  }

  private @Nullable FuseDirectoryEntry next(Waiter waiter) throws FuseException {
    return directory.slru == null ? nextRelation(waiter) : nextSegment(directory.slru);
  }

  private @Nullable FuseDirectoryEntry nextSegment(SlruSegments slru) {
    long next = slru.next(slruKey);
    while (next != 0) {
      slruKey = next;
      if (!shown.contains(next) && !removed(next)) {
        return entry(next);
      }
      next = slru.next(next);
    }
    return null; // and again, whenever it is asked for
  }

  private @Nullable FuseDirectoryEntry nextRelation(Waiter waiter) throws FuseException {
    while (true) {
      while (fork == page.size()) {
        if (begun && page.nextPosition() == 0) {
          return null;
        }
        page = nextPage(waiter);
        begun = true;
        fork = 0;
        segment = 0;
      }
      long key = RelationNames.key(page.relation(fork), page.fork(fork), segment);
      segment++;
      if (segment == RelationNames.segments(page.blocks(fork))) {
        fork++;
        segment = 0;
      }
      if (!shown.contains(key) && !removed(key)) {
        return entry(key);
      }
    }
  }

  private FuseDirectoryEntry entry(long key) {
    String name = directory.slru == null ? RelationNames.name(key) : SlruSegments.name(key);
    return new FuseDirectoryEntry(NO_NODE | key, name, FuseAttributes.TYPE_FILE);
  }

  private RelationList nextPage(Waiter waiter) throws FuseException {
    if (!begun) {
      RelationList all = listing.held(directory, waiter);
      if (all != null) {
        return all;
      }
    }
    try {
      return listing.page(directory, page.nextPosition(), waiter);
    } catch (IOException e) {
      throw tree.fetcher().failed(e);
    }
  }

  private boolean removed(long key) {
    tree.lock().lock();
    try {
      return directory.removed.contains(key);
    } finally {
      tree.lock().unlock();
    }
  }
}
