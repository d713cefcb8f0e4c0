package dev.varve.compute.fuse;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Phaser;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.logging.Logger;

/**
 * The threads that answer one mount's requests: platform threads, each blocked in {@code read(2)}
 * on its own clone of the device. A thread that takes a request while no other waits for one first
 * starts another, so that requests that wait for pages never keep others waiting, up to {@link
 * #MAX_WORKERS}; the additional threads end when they are not needed.
 *
 * <p>Ends when the mount is unmounted ({@link #unmount}), or aborted by the kernel, which {@link
 * #ended} tells. The threads end when the kernel ends the connection; the last closes the device.
 */
public final class FuseSession {
  private static final Logger LOG = Logger.getLogger(FuseSession.class.getName());
  private static final long UNMOUNT_SECONDS = 60;
  private static final long POLL_MILLIS = 2;

  /** Twice what the kernel sends of its own, and as many processes that wait. */
  private static final int MAX_WORKERS = 256;

  private final FuseMount mount;
  private final FuseDispatcher dispatcher;
  private final FuseOptions options;
  private final String name;

  /** One party for each thread that uses the device. */
  private final Phaser running;

  /** Threads that ended though they were to stay. */
  private final AtomicInteger lost = new AtomicInteger();

  /** Threads that wait for a request. */
  private final AtomicInteger idle = new AtomicInteger();

  private final AtomicInteger workers = new AtomicInteger();

  /** Requests that are being answered: idle and workers cannot be read at one moment. */
  private final AtomicInteger underWay = new AtomicInteger();

  private FuseSession(
      FuseMount mount, FuseFileSystem fileSystem, FuseOptions options, String name) {
    this.mount = mount;
    this.name = name;
    this.options = options;
    this.dispatcher = new FuseDispatcher(fileSystem, options);
    this.running =
        new Phaser(options.workers()) {
          @Override
          protected boolean onAdvance(int phase, int registered) {
            mount.close();
            return true;
          }
        };
  }

  /** Starts answering; returns when the kernel and we have agreed on the protocol. */
  public static FuseSession start(
      FuseMount mount, FuseFileSystem fileSystem, FuseOptions options, String name)
      throws IOException {
    FuseSession session = new FuseSession(mount, fileSystem, options, name);
    int first = mount.descriptor(0);
    session.worker(first, 0);
    try {
      if (!session.dispatcher.initialised().await(10, TimeUnit.SECONDS)) {
        throw new FuseMountException(
            "the kernel did not begin to talk on " + mount.directory() + " within 10 s");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new FuseMountException("interrupted while mounting " + mount.directory());
    }
    String refused = session.dispatcher.refusal();
    if (refused != null) {
      throw new FuseMountException(refused);
    }
    List<Integer> clones = new ArrayList<>();
    for (int i = 1; i < options.workers(); i++) {
      clones.add(mount.descriptor(i));
    }
    for (int i = 1; i < options.workers(); i++) {
      session.worker(clones.get(i - 1), i);
    }
    mount.raiseReadAhead(options.readAheadKilobytes());
    return session;
  }

  private void worker(int fd, int number) {
    workers.incrementAndGet();
    Thread.ofPlatform()
        .daemon()
        .name("fuse-" + name + "-" + number)
        .start(() -> {
          try {
            serve(fd, false);
          } finally {
            lost.incrementAndGet();
            workers.decrementAndGet();
            running.arriveAndDeregister();
          }
        });
  }

  /** One more thread for a while: no other waits for a request. */
  private void surge() {
    int number = workers.getAndIncrement();
    if (number >= MAX_WORKERS || running.register() < 0) {
      workers.decrementAndGet();
      return;
    }
    try {
      Thread.ofPlatform()
          .daemon()
          .name("fuse-" + name + "-" + number)
          .start(() -> {
            try {
              serve(mount.descriptor(0), true);
            } finally {
              workers.decrementAndGet();
              running.arriveAndDeregister();
            }
          });
    } catch (OutOfMemoryError e) { // the system has no more threads
      LOG.warning(
          mount.directory() + " gets no thread beside its " + number + ": " + e.getMessage());
      workers.decrementAndGet();
      running.arriveAndDeregister();
    }
  }

  /**
   * @param surplus end when enough others wait for requests
   */
  private void serve(int fd, boolean surplus) {
    int inBytes = options.maxTransferBytes() + 4096;
    MemorySegment in = Libc.malloc(inBytes);
    MemorySegment out = Libc.malloc(inBytes);
    try {
      ByteBuffer request = in.asByteBuffer().order(ByteOrder.nativeOrder());
      ByteBuffer reply = out.asByteBuffer().order(ByteOrder.nativeOrder());
      while (!surplus || idle.get() < options.workers()) {
        idle.incrementAndGet();
        long got = Libc.read(fd, in, inBytes);
        boolean last = idle.decrementAndGet() == 0;
        if (got < 0) {
          int errno = (int) -got;
          if (errno == Errno.EINTR || errno == Errno.EAGAIN || errno == Errno.ENOENT) {
            continue; // ENOENT: the request was withdrawn before it was read
          }
          if (errno != Errno.ENODEV) {
            LOG.severe("reading from " + mount.directory() + " failed: " + Errno.describe(errno));
          }
          return;
        }
        if (last) {
          surge();
        }
        underWay.incrementAndGet(); // before the dispatcher looks whether it was ended
        try {
          answer(fd, request.clear().limit((int) got), reply.clear(), out);
        } finally {
          underWay.decrementAndGet();
        }
      }
    } finally {
      Libc.free(in);
      Libc.free(out);
    }
  }

  private void answer(int fd, ByteBuffer request, ByteBuffer reply, MemorySegment out) {
    int bytes = dispatcher.answer(request, reply);
    if (bytes > 0) {
      long rc = Libc.write(fd, out, bytes);
      if (rc < 0 && -rc != Errno.ENOENT && -rc != Errno.ENODEV) {
        LOG.severe("answering on " + mount.directory() + " failed: " + Errno.describe((int) -rc));
      }
    }
  }

  /**
   * Makes the kernel let go of a name, and of its file unless somebody has it open; what it had to
   * write back is written before this returns, so no thread of the session may call it. Harmless
   * when the kernel does not know the name.
   */
  public void forget(long parent, String child) {
    if (running.register() < 0) {
      return; // the device is closed
    }
    try {
      forgetOf(parent, child);
    } finally {
      running.arriveAndDeregister();
    }
  }

  private void forgetOf(long parent, String child) {
    byte[] name = child.getBytes(StandardCharsets.UTF_8);
    int bytes = FuseAbi.OUT_HEADER_BYTES + FuseAbi.INVAL_ENTRY_NAME + name.length + 1;
    MemorySegment message = Libc.malloc(bytes);
    try {
      ByteBuffer out = message.asByteBuffer().order(ByteOrder.nativeOrder());
      out.putInt(FuseAbi.OUT_LENGTH, bytes);
      out.putInt(FuseAbi.OUT_ERROR, FuseAbi.NOTIFY_INVAL_ENTRY);
      out.putLong(FuseAbi.OUT_UNIQUE, 0);
      int at = FuseAbi.OUT_HEADER_BYTES;
      out.putLong(at + FuseAbi.INVAL_ENTRY_PARENT, parent);
      out.putInt(at + FuseAbi.INVAL_ENTRY_NAME_LENGTH, name.length);
      out.putInt(at + FuseAbi.INVAL_ENTRY_FLAGS, 0);
      out.put(at + FuseAbi.INVAL_ENTRY_NAME, name);
      out.put(at + FuseAbi.INVAL_ENTRY_NAME + name.length, (byte) 0);
      Libc.write(mount.descriptor(0), message, bytes);
    } finally {
      Libc.free(message);
    }
  }

  /** No thread answers any more. */
  public boolean ended() {
    return running.isTerminated();
  }

  /** Some thread stopped though nobody unmounted. */
  public boolean hasFailed() {
    return lost.get() > 0;
  }

  /**
   * Unmounts, with everything the kernel held written to the file system, and waits until no
   * request is under way. From then on the file system is not called any more.
   *
   * <p>The kernel ends the connection with the last mount of it. That may be a copy in another
   * mount namespace, made while this one was mounted, where unmounting does not propagate
   * (mount_namespaces(7)): a container, or whatever else began with {@code unshare(CLONE_NEWNS)}.
   * Nobody can say for how long, so this does not wait for it; who still uses such a copy gets
   * ENOTCONN.
   *
   * @throws FuseMountException when the mount is still in use; it goes on being served then
   */
  public void unmount() throws IOException {
    mount.writeBack();
    mount.unmount();
    dispatcher.end();
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(UNMOUNT_SECONDS);
    try {
      while (underWay.get() > 0) {
        if (System.nanoTime() > deadline) {
          throw stillUnderWay();
        }
        TimeUnit.MILLISECONDS.sleep(POLL_MILLIS);
      }
    } catch (InterruptedException e) {
      throw interrupted();
    }
  }

  /**
   * Aborts the mount and takes it away, used or not, and waits for the threads: for a mount whose
   * content nobody wants any more. Needs the right to mount.
   */
  public void discard() throws IOException {
    FuseMount.force(mount.directory());
    try {
      running.awaitAdvanceInterruptibly(0, UNMOUNT_SECONDS, TimeUnit.SECONDS);
    } catch (TimeoutException e) {
      throw stillUnderWay();
    } catch (InterruptedException e) {
      throw interrupted();
    }
  }

  private FuseMountException stillUnderWay() {
    return new FuseMountException(
        "requests on "
            + mount.directory()
            + " were still under way "
            + UNMOUNT_SECONDS
            + " s after unmounting");
  }

  private FuseMountException interrupted() {
    Thread.currentThread().interrupt();
    return new FuseMountException("interrupted while unmounting " + mount.directory());
  }
}
