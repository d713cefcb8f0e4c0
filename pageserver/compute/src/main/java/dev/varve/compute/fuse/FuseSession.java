package dev.varve.compute.fuse;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.logging.Level;
import java.util.logging.Logger;

/**
 * The threads that answer one mount's requests: platform threads, each blocked in {@code read(2)}
 * on its own clone of the device.
 *
 * <p>Ends when the mount is unmounted ({@link #unmount}), or aborted by the kernel, which {@link
 * #ended} tells.
 */
public final class FuseSession {
  private static final Logger LOG = Logger.getLogger(FuseSession.class.getName());
  private static final long UNMOUNT_SECONDS = 60;

  private final FuseMount mount;
  private final FuseDispatcher dispatcher;
  private final FuseOptions options;
  private final CountDownLatch running;

  private FuseSession(FuseMount mount, FuseFileSystem fileSystem, FuseOptions options) {
    this.mount = mount;
    this.options = options;
    this.dispatcher = new FuseDispatcher(fileSystem, options);
    this.running = new CountDownLatch(options.workers());
  }

  /** Starts answering; returns when the kernel and we have agreed on the protocol. */
  public static FuseSession start(
      FuseMount mount, FuseFileSystem fileSystem, FuseOptions options, String name)
      throws IOException {
    FuseSession session = new FuseSession(mount, fileSystem, options);
    int first = mount.descriptor(0);
    session.worker(first, name, 0);
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
      session.worker(clones.get(i - 1), name, i);
    }
    mount.raiseReadAhead(options.readAheadKilobytes());
    return session;
  }

  private void worker(int fd, String name, int number) {
    Thread.ofPlatform()
        .daemon()
        .name("fuse-" + name + "-" + number)
        .start(() -> {
          try {
            serve(fd);
          } catch (RuntimeException | Error e) {
            LOG.log(Level.SEVERE, "a thread of the mount " + mount.directory() + " died", e);
          } finally {
            running.countDown();
          }
        });
  }

  private void serve(int fd) {
    int inBytes = options.maxTransferBytes() + 4096;
    MemorySegment in = Libc.malloc(inBytes);
    MemorySegment out = Libc.malloc(inBytes);
    try {
      ByteBuffer request = in.asByteBuffer().order(ByteOrder.nativeOrder());
      ByteBuffer reply = out.asByteBuffer().order(ByteOrder.nativeOrder());
      while (true) {
        long got = Libc.read(fd, in, inBytes);
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
        request.clear().limit((int) got);
        reply.clear();
        int bytes = dispatcher.answer(request, reply);
        if (bytes > 0) {
          long rc = Libc.write(fd, out, bytes);
          if (rc < 0 && -rc != Errno.ENOENT && -rc != Errno.ENODEV) {
            LOG.severe(
                "answering on " + mount.directory() + " failed: " + Errno.describe((int) -rc));
          }
        }
      }
    } finally {
      Libc.free(in);
      Libc.free(out);
    }
  }

  /** No thread answers any more. */
  public boolean ended() {
    return running.getCount() == 0;
  }

  /** Some thread stopped though nobody unmounted. */
  public boolean troubled() {
    return running.getCount() < options.workers();
  }

  /**
   * Unmounts, with everything the kernel held written to the file system, and waits for the
   * threads.
   *
   * @throws FuseMountException when the mount is still in use; it goes on being served then
   */
  public void unmount() throws IOException {
    mount.unmount();
    end();
  }

  /**
   * Aborts the mount and takes it away, used or not, and waits for the threads: for a mount whose
   * content nobody wants any more. Needs the right to mount.
   */
  public void discard() throws IOException {
    FuseMount.force(mount.directory());
    end();
  }

  private void end() throws IOException {
    try {
      if (!running.await(UNMOUNT_SECONDS, TimeUnit.SECONDS)) {
        throw new FuseMountException(
            "requests on "
                + mount.directory()
                + " were still under way "
                + UNMOUNT_SECONDS
                + " s after unmounting");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new FuseMountException("interrupted while unmounting " + mount.directory());
    }
    mount.close();
  }
}
