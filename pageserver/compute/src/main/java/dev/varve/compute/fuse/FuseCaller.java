package dev.varve.compute.fuse;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;

/**
 * The process whose request is being answered, and whether it can wait no longer. One thread.
 *
 * <p>A process that waits for an answer handles no signal: the kernel keeps it waiting until the
 * answer comes, whatever it was sent. The request FUSE_INTERRUPT does not help: the kernel sends
 * none for reads through its page cache, and none names the signal. So the pending signals are read
 * from {@code /proc}, where they stay until the process gets to handle them. Signals that end or
 * cancel what it does count; SIGUSR1 and the like, which PostgreSQL's processes send each other all
 * the time, do not. The startup process uses SIGALRM to tell its progress (PostgreSQL 17
 * src/backend/postmaster/startup.c) and is not to fail by it.
 *
 * <p>The answer is then EIO: PostgreSQL repeats a read that ended with EINTR before it looks for
 * what interrupted it (PostgreSQL 15 to 18 src/backend/storage/file/fd.c, {@code FileReadV}), and
 * would wait again.
 */
public final class FuseCaller {
  /** For a request that is answered quickly the signal can wait. */
  private static final long PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(1);

  private static final int SIGALRM = 14;
  private static final long ENDING =
      bit(Libc.SIGINT) | bit(Libc.SIGQUIT) | bit(Libc.SIGKILL) | bit(Libc.SIGTERM);

  /** The kernel itself, which no signal reaches. */
  public static final FuseCaller KERNEL = new FuseCaller(0);

  private final int process;
  private final long startNanos = System.nanoTime();

  /**
   * @param process its number, 0 when the kernel itself asks or the process is not visible here
   */
  FuseCaller(int process) {
    this.process = process;
  }

  private static long bit(int signal) {
    return 1L << signal - 1;
  }

  /** The kernel writes back what processes wrote before, or the process cannot be seen here. */
  public boolean isKernel() {
    return process == 0;
  }

  /** How long the request has been waiting. */
  public long waitedNanos() {
    return System.nanoTime() - startNanos;
  }

  /**
   * Whether the request is to end, with EIO, though its answer may still come: it has been waiting
   * for a while, and a signal waits for the process to end or cancel what it does.
   */
  public boolean mustReturn() {
    if (process == 0 || waitedNanos() < PATIENCE_NANOS) {
      return false;
    }
    Path directory = Path.of("/proc", Integer.toString(process));
    try {
      long pending = pending(Files.readString(directory.resolve("status")));
      return (pending & ENDING) != 0
          || (pending & bit(SIGALRM)) != 0
              && !Files.readString(directory.resolve("cmdline")).contains(": startup");
    } catch (IOException e) {
      return !Files.exists(directory); // it ended, or cannot be seen
    }
  }

  /** Signals that are sent to the process or its thread, and not blocked. */
  static long pending(String status) {
    long pending = 0;
    long blocked = 0;
    for (String line : status.split("\n", -1)) {
      if (line.startsWith("SigPnd:") || line.startsWith("ShdPnd:")) {
        pending |= mask(line);
      } else if (line.startsWith("SigBlk:")) {
        blocked = mask(line);
      }
    }
    return pending & ~blocked;
  }

  private static long mask(String line) {
    return Long.parseUnsignedLong(line.substring(line.indexOf(':') + 1).strip(), 16);
  }
}
