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
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
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
  private static final int PAGE = PageSource.PAGE_BYTES;
  private static final int MISS_RUN_BLOCKS = 128;

  /** Where the remote blocks come from. */
  record Source(RelationFork fork, long firstBlock) {}

  final @Nullable Source source;
  private final PageFetcher fetcher;
  private final ReentrantLock lock = new ReentrantLock();
  private final List<Run> inFlight = new ArrayList<>(2);
  private Path backing;
  private final BlockSet local;
  private int remoteBlocks;
  private long size;
  private @Nullable FileChannel channel;
  private int users;
  private boolean unlinked;

  /** Differs from what the source has, by more than pages that were fetched. */
  private boolean changed;

  /** Blocks that are on their way; waiters wait on {@code done}. */
  private static final class Run {
    final int first;
    final int count;
    final java.util.concurrent.CountDownLatch done = new java.util.concurrent.CountDownLatch(1);
    volatile @Nullable IOException failure;

    Run(int first, int count) {
      this.first = first;
      this.count = count;
    }

    boolean covers(int block) {
      return block >= first && block < first + count;
    }
  }

  LocalFile(
      PageFetcher fetcher,
      Path backing,
      @Nullable Source source,
      int remoteBlocks,
      BlockSet local,
      long size) {
    this.fetcher = fetcher;
    this.backing = backing;
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
      channel();
      users++;
    } catch (IOException e) {
      throw localFailure("opening", e);
    } finally {
      lock.unlock();
    }
  }

  void close() {
    lock.lock();
    try {
      users--;
      closeIfUnused();
    } finally {
      lock.unlock();
    }
  }

  private void closeIfUnused() {
    if (users == 0 && channel != null) {
      try {
        channel.close();
      } catch (IOException e) {
        LOG.log(Level.WARNING, "closing " + backing, e);
      }
      channel = null;
    }
  }

  private FileChannel channel() throws IOException {
    FileChannel open = channel;
    if (open == null) {
      if (unlinked) {
        throw new IOException("the file is unlinked and no longer open");
      }
      if (!Files.exists(backing)) { // nor may its directory, of which the image had no file
        Files.createDirectories(backing.resolveSibling(""));
      }
      open =
          FileChannel.open(
              backing,
              StandardOpenOption.CREATE,
              StandardOpenOption.READ,
              StandardOpenOption.WRITE);
      channel = open;
    }
    return open;
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
      users++;
      from = channel();
    } catch (IOException e) {
      throw localFailure("opening", e);
    } finally {
      lock.unlock();
    }
    try {
      int first = (int) (offset / PAGE);
      int aheadBlocks = ahead == null ? 0 : ahead.onRead(first, end - first);
      if (aheadBlocks > 0) {
        fetchAhead(end, aheadBlocks);
      }
      makeLocal(first, end, waiter);
      while (into.hasRemaining()) {
        int got = from.read(into, offset);
        if (got < 0) {
          while (into.hasRemaining()) { // a hole at the end of the local file
            into.put((byte) 0);
          }
        }
        offset += Math.max(got, 0);
      }
    } catch (IOException e) {
      throw localFailure("reading", e);
    } finally {
      close();
    }
  }

  void write(long offset, ByteBuffer from, Waiter waiter) throws FuseException {
    long endOffset = offset + from.remaining();
    if (endOffset > (long) BlockSet.SEGMENT_BLOCKS * PAGE && source != null) {
      throw new FuseException(Errno.EFBIG);
    }
    if (offset % PAGE != 0) {
      makeLocal((int) (offset / PAGE), (int) (offset / PAGE) + 1, waiter);
    }
    if (endOffset % PAGE != 0) {
      makeLocal((int) (endOffset / PAGE), (int) (endOffset / PAGE) + 1, waiter);
    }
    lock.lock();
    try {
      changed = true;
      FileChannel to = channel();
      long at = offset;
      while (from.hasRemaining()) {
        at += to.write(from, at);
      }
      if (source != null && endOffset > offset) {
        int first = (int) (offset / PAGE);
        local.add(first, (int) ((endOffset + PAGE - 1) / PAGE) - first);
      }
      size = Math.max(size, endOffset);
      closeIfUnused();
    } catch (IOException e) {
      fetcher.counters().localWriteErrors.incrementAndGet();
      throw localFailure("writing", e);
    } finally {
      lock.unlock();
    }
  }

  void truncate(long newSize, Waiter waiter) throws FuseException {
    if (newSize % PAGE != 0) {
      makeLocal((int) (newSize / PAGE), (int) (newSize / PAGE) + 1, waiter);
    }
    lock.lock();
    try {
      changed = true;
      if (newSize < size) {
        FileChannel to = channel();
        if (to.size() > newSize) {
          to.truncate(newSize);
        }
        remoteBlocks = (int) Math.min(remoteBlocks, newSize / PAGE);
        closeIfUnused();
      }
      size = newSize;
    } catch (IOException e) {
      fetcher.counters().localWriteErrors.incrementAndGet();
      throw localFailure("truncating", e);
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

  /** Returns when every block of {@code [first, end)} that belongs to the file is local. */
  private void makeLocal(int first, int end, Waiter waiter) throws FuseException {
    if (source == null) {
      return;
    }
    while (true) {
      Run run = null;
      Run mine = null;
      lock.lock();
      try {
        int block = first;
        while (block < end && !remote(block)) {
          block++;
        }
        if (block >= end) {
          return;
        }
        first = block;
        run = flying(block);
        if (run == null) {
          mine = start(block, Math.min(end, block + MISS_RUN_BLOCKS));
          run = mine;
        }
      } finally {
        lock.unlock();
      }
      if (mine != null) {
        fetch(mine, false, waiter);
      } else {
        fetcher.await(run.done, waiter);
      }
      IOException failure = run.failure;
      if (failure != null && (mine != null || !(failure instanceof AbandonedException))) {
        throw fetcher.failed(failure);
      }
    }
  }

  /**
   * Starts runs for remote blocks of {@code [first, first + count)} as far as the fetcher has room.
   */
  private void fetchAhead(int first, int count) {
    int block = first;
    while (block < first + count) {
      Run run;
      lock.lock();
      try {
        int end = Math.min(first + count, remoteBlocks);
        while (block < end && (!remote(block) || flying(block) != null)) {
          block++;
        }
        if (block >= end || !fetcher.tryAhead()) {
          return;
        }
        run = start(block, Math.min(end, block + MISS_RUN_BLOCKS));
      } finally {
        lock.unlock();
      }
      block = run.first + run.count;
      Run ahead = run;
      fetcher.runAhead(() -> fetch(ahead, true, Waiter.PATIENT));
    }
  }

  /** Fetches of the first blocks what is remote and together, once the fetcher has room. */
  void fetchFirst(int blocks) {
    fetcher.awaitAhead();
    Run run = null;
    lock.lock();
    try {
      int end = Math.min(blocks, remoteBlocks);
      int block = 0;
      while (block < end && (!remote(block) || flying(block) != null)) {
        block++;
      }
      if (block < end && !unlinked) {
        run = start(block, Math.min(end, block + MISS_RUN_BLOCKS));
      }
    } finally {
      lock.unlock();
    }
    if (run == null) {
      fetcher.leaveAhead();
      return;
    }
    Run ahead = run;
    fetcher.runAhead(() -> fetch(ahead, true, Waiter.PATIENT));
  }

  private boolean remote(int block) {
    return block < remoteBlocks && !local.contains(block);
  }

  private @Nullable Run flying(int block) {
    for (Run run : inFlight) {
      if (run.covers(block)) {
        return run;
      }
    }
    return null;
  }

  private Run start(int block, int limit) {
    int end = block + 1;
    while (end < limit && remote(end) && flying(end) == null) {
      end++;
    }
    Run run = new Run(block, end - block);
    inFlight.add(run);
    users++;
    return run;
  }

  private void fetch(Run run, boolean ahead, Waiter waiter) {
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
      apply(run, pages);
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
        users--;
        closeIfUnused();
      } finally {
        lock.unlock();
      }
      run.done.countDown();
    }
  }

  private void apply(Run run, ByteBuffer pages) throws IOException {
    int base = pages.position();
    lock.lock();
    try {
      FileChannel to = channel();
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
        pages.limit(base + (stop - run.first) * PAGE).position(base + (block - run.first) * PAGE);
        long at = (long) block * PAGE;
        while (pages.hasRemaining()) {
          at += to.write(pages, at);
        }
        local.add(block, stop - block);
        block = stop;
      }
    } finally {
      lock.unlock();
    }
  }

  void moveTo(Path target) throws IOException {
    lock.lock();
    try {
      changed = true;
      if (Files.exists(backing)) {
        Files.move(backing, target, java.nio.file.StandardCopyOption.REPLACE_EXISTING);
      } else {
        Files.deleteIfExists(target);
      }
      backing = target;
    } finally {
      lock.unlock();
    }
  }

  /** Removes the local file; open users keep reading and writing it. */
  void unlink() throws IOException {
    lock.lock();
    try {
      if (users > 0) {
        channel();
      }
      unlinked = true;
      Files.deleteIfExists(backing);
    } finally {
      lock.unlock();
    }
  }

  /** Whether nobody has it open, reads or fetches it. */
  boolean isIdle() {
    lock.lock();
    try {
      return users == 0;
    } finally {
      lock.unlock();
    }
  }

  /**
   * Whether it is what a new one for the same segment would be.
   *
   * @param database whose directory it is in
   * @param name of it there
   */
  boolean asListed(int database, String name) {
    lock.lock();
    try {
      return source != null
          && !changed
          && local.isEmpty()
          && source.fork().database() == database
          && source
              .fork()
              .fileName((int) (source.firstBlock() / BlockSet.SEGMENT_BLOCKS))
              .equals(name);
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
      long bytes = Files.exists(backing) ? Files.size(backing) : -1;
      return new State(source, remoteBlocks, size, bytes, local.words());
    } finally {
      lock.unlock();
    }
  }

  private FuseException localFailure(String doing, IOException e) {
    LOG.log(Level.SEVERE, doing + " the local file " + backing + " failed", e);
    String message = String.valueOf(e.getMessage());
    return new FuseException(message.contains("No space left") ? Errno.ENOSPC : Errno.EIO);
  }
}
