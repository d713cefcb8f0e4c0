package dev.varve.compute.mount;

import dev.varve.compute.fuse.Errno;
import dev.varve.compute.fuse.FuseException;
import dev.varve.compute.fuse.FuseSpace;
import java.io.IOException;
import java.nio.file.FileStore;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.jspecify.annotations.Nullable;

/**
 * The disk below a mount, and its last part, which is kept for what the kernel has accepted from
 * PostgreSQL and not written back yet: its refusal would come too late. New files and what is
 * allocated ahead do not take it. Pages that were only fetched leave twice as much, so that a
 * database larger than its disk still has room for new files. Thread-safe.
 *
 * <p>A write of a block that PostgreSQL adds to a file is not seen before the kernel has accepted
 * it. A file grows to 1 GB that way until PostgreSQL makes the next one ({@code RELSEG_SIZE};
 * {@code MAX_PHYSICAL_FILESIZE} in PostgreSQL 17 src/backend/storage/file/buffile.c), which is
 * refused: hence 2 GiB. Of a small disk it is a part only, and then a file may still fill it.
 */
final class LocalDisk {
  private static final Logger LOG = Logger.getLogger(LocalDisk.class.getName());
  private static final long RESERVE_BYTES = 2L << 30;
  private static final int RESERVE_PART = 16;

  /** Reserves that fetched pages leave free. */
  private static final int FETCHED_RESERVES = 2;

  private final Path directory;
  private final MountCounters counters;
  private volatile @Nullable FileStore store;

  /** It was full when it was last looked at, and the log has it. */
  private volatile boolean full;

  LocalDisk(Path directory, MountCounters counters) {
    this.directory = directory;
    this.counters = counters;
  }

  FuseSpace space() throws IOException {
    FileStore known = store;
    if (known == null) { // to find it takes a look at all mounts
      known = Files.getFileStore(directory);
      store = known;
    }
    return new FuseSpace(
        known.getTotalSpace(), known.getUnallocatedSpace(), known.getUsableSpace());
  }

  /** Whether something that PostgreSQL can be refused still has room. */
  private boolean hasRoom(long bytes) throws IOException {
    FuseSpace space = space();
    boolean room = space.available() - bytes >= reserve(space);
    if (room) {
      full = false;
    }
    return room;
  }

  /** Whether pages that can be fetched another time still have room. */
  boolean hasRoomForFetched(long bytes) throws IOException {
    FuseSpace space = space();
    return space.available() - bytes >= FETCHED_RESERVES * reserve(space);
  }

  private static long reserve(FuseSpace space) {
    return Math.min(RESERVE_BYTES, space.total() / RESERVE_PART);
  }

  /** ENOSPC when there is no room; the log has it once. */
  void claim(long bytes) throws FuseException {
    boolean room;
    try {
      room = hasRoom(bytes);
    } catch (IOException e) {
      throw failure("looking for room on", directory, e);
    }
    if (!room) {
      throw refusal();
    }
  }

  private FuseException refusal() {
    if (!full) {
      full = true;
      LOG.warning(
          "the disk of " + directory + " is full: PostgreSQL is told that no space is left");
    }
    return new FuseException(Errno.ENOSPC);
  }

  /** Whether a failure says that there is no room. */
  static boolean isFull(IOException failure) {
    String message = String.valueOf(failure.getMessage());
    return message.contains("No space left") || message.contains("Disk quota exceeded");
  }

  /** The answer to a request that the disk failed. */
  FuseException failure(String doing, Object what, IOException e) {
    if (isFull(e)) {
      return refusal();
    }
    LOG.log(Level.SEVERE, doing + " " + what + " failed", e);
    return new FuseException(Errno.EIO);
  }

  /** Likewise, of a change: unless for want of room, the disk is not to be trusted any more. */
  FuseException changeFailure(String doing, Object what, IOException e) {
    if (!isFull(e)) {
      counters.localWriteErrors.incrementAndGet();
    }
    return failure(doing, what, e);
  }
}
