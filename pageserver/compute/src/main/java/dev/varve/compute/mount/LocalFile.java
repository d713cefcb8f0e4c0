package dev.varve.compute.mount;

import dev.varve.compute.fuse.Errno;
import dev.varve.compute.fuse.FuseException;
import dev.varve.compute.page.AbandonedException;
import dev.varve.compute.page.PageSource;
import dev.varve.compute.page.RelationFork;
import dev.varve.compute.page.Waiter;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.ReentrantLock;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.jspecify.annotations.Nullable;

/**
 * The content of one file: a sparse local file, and for a relation segment which of its blocks are
 * still remote.
 *
 * <p>Block {@code b} is remote if and only if {@code b < remoteBlocks} and {@code local} does not
 * contain it; truncation lowers {@code remoteBlocks} for good, so that a file grown again reads as
 * zeros. Thread-safe: state is guarded by {@code lock}, which is held over local I/O but never over
 * a read from the source; pages that arrive are applied only to blocks that are still remote.
 */
final class LocalFile {
  private static final Logger LOG = Logger.getLogger(LocalFile.class.getName());
  static final int PAGE = PageSource.PAGE_BYTES;
  private static final int MISS_RUN_BLOCKS = 128;

  /** Where the remote blocks come from: a relation's fork, or an SLRU. */
  record Source(RelationFork fork, long firstBlock) {}

  final @Nullable Source source;
  private final PageFetcher fetcher;
  private final LocalDisk disk;
  private final ReentrantLock lock = new ReentrantLock();
  private final List<PageRun> inFlight = new ArrayList<>(2);
  private final BackingFile backing;
  private final BlockSet local;
  private int remoteBlocks;
  private long size;

  /** Differs from what the source has, by more than pages that were fetched. */
  private boolean changed;

  LocalFile(
      PageFetcher fetcher,
      LocalDisk disk,
      Path backing,
      @Nullable Source source,
      int remoteBlocks,
      BlockSet local,
      long size) {
    this.fetcher = fetcher;
    this.disk = disk;
    this.backing = new BackingFile(backing);
    this.source = source;
    this.remoteBlocks = remoteBlocks;
    this.local = local;
    this.size = size;
    this.changed = size != (long) remoteBlocks * PAGE;
  }

  long size() {
    lock.lock();
    try {
      return size;
    } finally {
      lock.unlock();
    }
  }

  /** One more user: the local file stays open until as many {@link #close} calls. */
  void open() throws FuseException {
    lock.lock();
    try {
      var _ = use();
    } catch (IOException e) {
      throw disk.failure("opening", backing, e);
    } finally {
      lock.unlock();
    }
  }

  private FileChannel use() throws IOException {
    FileChannel channel = backing.channel();
    backing.use();
    return channel;
  }

  void close() {
    lock.lock();
    try {
      backing.leave();
    } finally {
      lock.unlock();
    }
  }

  void read(long offset, ByteBuffer into, @Nullable ReadAhead ahead, Waiter waiter)
      throws FuseException {
    FileChannel from;
    int end;
    lock.lock();
    try {
      long bytes = Math.min(into.remaining(), size - offset);
      if (bytes <= 0) {
        return;
      }
      into.limit(into.position() + (int) bytes);
      end = (int) ((offset + bytes + PAGE - 1) / PAGE);
      from = use();
    } catch (IOException e) {
      throw disk.failure("opening", backing, e);
    } finally {
      lock.unlock();
    }
    try {
      int first = (int) (offset / PAGE);
      int aheadBlocks = ahead == null ? 0 : ahead.onRead(first, end - first);
      if (aheadBlocks > 0) {
        fetchAhead(end, aheadBlocks);
      }
      List<PageRun> unstored = makeLocal(first, end, false, waiter);
      int start = into.position();
      int bytes = into.remaining();
      long at = offset;
      while (into.hasRemaining()) {
        int got = from.read(into, at);
        if (got < 0) {
          while (into.hasRemaining()) { // a hole at the end of the local file
            into.put((byte) 0);
          }
        }
        at += Math.max(got, 0);
      }
      for (PageRun run : unstored) {
        run.copy(offset, into, start, bytes);
      }
    } catch (IOException e) {
      throw disk.failure("reading", backing, e);
    } finally {
      close();
    }
  }

  /** A page of which a part is to change is local before. */
  private void completePage(long offset, Waiter waiter) throws FuseException {
    if (offset % PAGE != 0) {
      int block = (int) (offset / PAGE);
      var _ = makeLocal(block, block + 1, true, waiter);
    }
  }

  void write(long offset, ByteBuffer from, Waiter waiter) throws FuseException {
    long endOffset = offset + from.remaining();
    if (endOffset > (long) BlockSet.SEGMENT_BLOCKS * PAGE && source != null) {
      throw new FuseException(Errno.EFBIG);
    }
    completePage(offset, waiter);
    completePage(endOffset, waiter);
    lock.lock();
    try {
      changed = true;
      FileChannel to = backing.channel();
      long at = offset;
      try {
        while (from.hasRemaining()) {
          at += to.write(from, at);
        }
      } catch (IOException e) {
        if (to.size() > size) {
          to.truncate(size); // should it grow later, it grows by zeros
        }
        throw e;
      }
      if (source != null && endOffset > offset) {
        int first = (int) (offset / PAGE);
        local.add(first, (int) ((endOffset + PAGE - 1) / PAGE) - first);
      }
      size = Math.max(size, endOffset);
      backing.closeIfUnused();
    } catch (IOException e) {
      throw disk.changeFailure("writing", backing, e);
    } finally {
      lock.unlock();
    }
  }

  void truncate(long newSize, Waiter waiter) throws FuseException {
    completePage(newSize, waiter);
    lock.lock();
    try {
      changed = true;
      if (newSize < size) {
        FileChannel to = backing.channel();
        if (to.size() > newSize) {
          to.truncate(newSize);
        }
        remoteBlocks = (int) Math.min(remoteBlocks, newSize / PAGE);
        backing.closeIfUnused();
      }
      size = newSize;
    } catch (IOException e) {
      throw disk.changeFailure("truncating", backing, e);
    } finally {
      lock.unlock();
    }
  }

  void extend(long newSize) {
    lock.lock();
    try {
      changed = true;
      size = Math.max(size, newSize);
    } finally {
      lock.unlock();
    }
  }

  /**
   * Returns when every block of {@code [first, end)} that belongs to the file is local, or in one
   * of the runs that it answers, since there was no room for it.
   *
   * @param needed store them though there is little room
   */
  private List<PageRun> makeLocal(int first, int end, boolean needed, Waiter waiter)
      throws FuseException {
    if (source == null) {
      return List.of();
    }
    List<PageRun> unstored = new ArrayList<>(0);
    int block = first;
    while (true) {
      PageRun run;
      boolean mine = false;
      lock.lock();
      try {
        while (block < end && (!remote(block) || PageRun.passed(unstored, block))) {
          block++;
        }
        if (block >= end) {
          return unstored;
        }
        run = PageRun.covering(inFlight, block);
        if (run == null) {
          run = start(block, Math.min(end, block + MISS_RUN_BLOCKS), needed);
          mine = true;
        }
      } finally {
        lock.unlock();
      }
      if (mine) {
        fetch(run, false, waiter);
      } else {
        fetcher.await(run.done, waiter);
      }
      if (run.failure != null && (mine || !(run.failure instanceof AbandonedException))) {
        throw fetcher.failed(run.failure);
      }
      if (run.refusal != null && (needed || !run.needed)) {
        throw run.refusal;
      }
      if (!needed && run.passesAny()) {
        unstored.add(run);
      }
    }
  }

  /**
   * Starts runs for remote blocks of {@code [first, first + count)} as far as the fetcher and the
   * disk have room.
   */
  private void fetchAhead(int first, int count) throws IOException {
    if (!disk.hasRoomForFetched((long) count * PAGE)) {
      return;
    }
    int block = first;
    while (block < first + count) {
      PageRun run;
      lock.lock();
      try {
        int end = Math.min(first + count, remoteBlocks);
        while (block < end && (!remote(block) || PageRun.covering(inFlight, block) != null)) {
          block++;
        }
        if (block >= end || !fetcher.tryAhead()) {
          return;
        }
        run = start(block, Math.min(end, block + MISS_RUN_BLOCKS), false);
      } finally {
        lock.unlock();
      }
      block = run.first + run.count;
      PageRun ahead = run;
      fetcher.runAhead(() -> fetch(ahead, true, Waiter.PATIENT));
    }
  }

  /** Fetches of the first blocks what is remote and together, once the fetcher has room. */
  void fetchFirst(int blocks) {
    fetcher.awaitAhead();
    PageRun run = null;
    lock.lock();
    try {
      int end = Math.min(blocks, remoteBlocks);
      int block = 0;
      while (block < end && (!remote(block) || PageRun.covering(inFlight, block) != null)) {
        block++;
      }
      if (block < end && !backing.isUnlinked()) {
        run = start(block, Math.min(end, block + MISS_RUN_BLOCKS), false);
      }
    } finally {
      lock.unlock();
    }
    if (run == null) {
      fetcher.leaveAhead();
      return;
    }
    PageRun ahead = run;
    fetcher.runAhead(() -> fetch(ahead, true, Waiter.PATIENT));
  }

  private boolean remote(int block) {
    return block < remoteBlocks && !local.contains(block);
  }

  private PageRun start(int block, int limit, boolean needed) {
    int end = block + 1;
    while (end < limit && remote(end) && PageRun.covering(inFlight, end) == null) {
      end++;
    }
    PageRun run = new PageRun(block, end - block, needed);
    inFlight.add(run);
    backing.use();
    return run;
  }

  private void fetch(PageRun run, boolean ahead, Waiter waiter) {
    try {
      if (source == null) {
        throw new IllegalStateException("a file without source has no remote blocks");
      }
      ByteBuffer pages =
          fetcher.read(source.fork(), source.firstBlock() + run.first, run.count, ahead, waiter);
      if (pages.remaining() != run.count * PAGE) {
        throw new IOException(
            "the source answered " + pages.remaining() + " bytes for " + run.count + " pages");
      }
      apply(run, pages.slice());
    } catch (IOException e) {
      run.failure = e;
      if (ahead) {
        var _ = fetcher.failed(e);
      }
    } catch (RuntimeException e) {
      run.failure = new IOException("fetching pages of " + backing + " failed", e);
      LOG.log(Level.SEVERE, "fetching pages of " + backing, e);
    } finally {
      lock.lock();
      try {
        inFlight.remove(run);
        backing.leave();
      } finally {
        lock.unlock();
      }
      run.done.countDown();
    }
  }

  /** Stores what is still remote, as far as it is needed or there is room. */
  private void apply(PageRun run, ByteBuffer pages) {
    lock.lock();
    try {
      int block = run.first;
      int end = run.first + run.count;
      while (block < end) {
        if (!remote(block)) {
          block++; // written or truncated meanwhile
          continue;
        }
        int stop = block + 1;
        while (stop < end && remote(stop)) {
          stop++;
        }
        ByteBuffer part = pages.slice((block - run.first) * PAGE, (stop - block) * PAGE);
        if (store(block, part, run)) {
          local.add(block, stop - block);
        } else {
          run.pass(block, stop, pages);
        }
        block = stop;
      }
      inFlight.remove(run); // whoever comes from now on may read blocks written after it
    } finally {
      lock.unlock();
    }
  }

  private boolean store(int block, ByteBuffer part, PageRun run) {
    try {
      if (!run.needed && !disk.hasRoomForFetched(part.remaining())) {
        return false;
      }
      FileChannel to = backing.channel();
      long at = (long) block * PAGE;
      while (part.hasRemaining()) {
        at += to.write(part, at);
      }
      return true;
    } catch (IOException e) {
      if (run.needed || !LocalDisk.isFull(e)) {
        run.refusal = disk.failure("writing", backing, e);
      }
      return false;
    }
  }

  void moveTo(Path target) throws IOException {
    lock.lock();
    try {
      changed = true;
      backing.moveTo(target);
    } finally {
      lock.unlock();
    }
  }

  /** Removes the local file; open users keep reading and writing it. */
  void unlink() throws IOException {
    lock.lock();
    try {
      backing.unlink();
    } finally {
      lock.unlock();
    }
  }

  /** Whether nobody has it open, reads or fetches it. */
  boolean isIdle() {
    lock.lock();
    try {
      return backing.isIdle();
    } finally {
      lock.unlock();
    }
  }

  /**
   * Whether it is what a new one for the same segment would be.
   *
   * @param name of it in the directory
   */
  boolean asListed(Node.Directory directory, String name) {
    lock.lock();
    try {
      return source != null && !changed && local.isEmpty() && directory.isNamed(source, name);
    } finally {
      lock.unlock();
    }
  }

  /** What a restart needs. */
  record State(
      @Nullable Source source, int remoteBlocks, long size, long backingBytes, long[] local) {}

  State state() throws IOException {
    lock.lock();
    try {
      return new State(source, remoteBlocks, size, backing.bytes(), local.words());
    } finally {
      lock.unlock();
    }
  }
}
