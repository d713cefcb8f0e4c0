package dev.varve.compute.fuse;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Mounting through the set-uid program {@code fusermount3}: it mounts and hands the device
 * descriptor back over a Unix socket that it inherits. {@code posix_spawn} is called directly,
 * since Java's own process start closes inherited descriptors.
 *
 * <p>Source: libfuse doc/fusermount3.1, unix(7), cmsg(3).
 */
final class FuserMount {
  private static final int AF_UNIX = 1;
  private static final int SOCK_STREAM = 1;
  private static final int SCM_RIGHTS = 1;
  private static final int SOL_SOCKET = 1;

  /** {@code struct msghdr} and {@code struct cmsghdr} on 64-bit Linux. */
  private static final int MSGHDR_BYTES = 56;

  private static final int MSGHDR_IOV = 16;
  private static final int MSGHDR_IOV_COUNT = 24;
  private static final int MSGHDR_CONTROL = 32;
  private static final int MSGHDR_CONTROL_BYTES = 40;
  private static final int CMSG_LEVEL = 8;
  private static final int CMSG_TYPE = 12;
  private static final int CMSG_DATA = 16;
  private static final int CMSG_BYTES = 24;

  private FuserMount() {}

  static @Nullable Path find() {
    String path = System.getenv("PATH");
    for (String directory : (path == null ? "/usr/bin:/bin" : path).split(":", -1)) {
      Path program = Path.of(directory.isEmpty() ? "." : directory, "fusermount3");
      if (Files.isExecutable(program)) {
        return program;
      }
    }
    return null;
  }

  static int mount(Path program, Path directory, String source) throws IOException {
    MethodHandle socketpair =
        Libc.handle(
            "socketpair", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, ADDRESS));
    MethodHandle spawn =
        Libc.handle(
            "posix_spawn",
            FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS));
    MethodHandle waitpid =
        Libc.handle("waitpid", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT));
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment errno = Libc.errnoState();
      MemorySegment pair = arena.allocate(JAVA_INT, 2);
      long rc =
          Libc.result((int) socketpair.invokeExact(errno, AF_UNIX, SOCK_STREAM, 0, pair), errno);
      if (rc < 0) {
        throw new FuseMountException("socketpair failed: " + Errno.describe((int) -rc));
      }
      int ours = pair.getAtIndex(JAVA_INT, 0);
      int theirs = pair.getAtIndex(JAVA_INT, 1);
      MemorySegment arguments =
          strings(
              arena,
              List.of(
                  program.toString(),
                  "-o",
                  "default_permissions,fsname=" + source + ",subtype=varve",
                  "--",
                  directory.toString()));
      MemorySegment environment =
          strings(arena, List.of("_FUSE_COMMFD=" + theirs, "PATH=/usr/bin:/bin"));
      MemorySegment pid = arena.allocate(JAVA_INT);
      int error =
          (int)
              spawn.invokeExact(
                  errno,
                  pid,
                  arena.allocateFrom(program.toString()),
                  MemorySegment.NULL,
                  MemorySegment.NULL,
                  arguments,
                  environment);
      Libc.close(theirs);
      if (error != 0) {
        Libc.close(ours);
        throw new FuseMountException("starting " + program + " failed: " + Errno.describe(error));
      }
      int descriptor = receive(arena, ours);
      Libc.close(ours);
      MemorySegment status = arena.allocate(JAVA_INT);
      int reaped = (int) waitpid.invokeExact(errno, pid.get(JAVA_INT, 0), status, 0);
      if (descriptor < 0) {
        throw new FuseMountException(
            program
                + " refused to mount on "
                + directory
                + " (wait status "
                + (reaped < 0 ? -1 : status.get(JAVA_INT, 0))
                + "; its own message is on standard error). The directory must belong to this user, and the program must be"
                + " set-uid root; or run with --eager, which needs no mount.");
      }
      return descriptor;
    } catch (IOException e) {
      throw e;
    } catch (Throwable t) {
      throw Libc.unexpected(t);
    }
  }

  /**
   * The descriptor that came over the socket, or -1 when the other side closed it without sending
   * one.
   */
  private static int receive(Arena arena, int socket) throws Throwable {
    MethodHandle recvmsg =
        Libc.handle("recvmsg", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_INT));
    MemorySegment errno = Libc.errnoState();
    MemorySegment iov = arena.allocate(16, 8);
    iov.set(ADDRESS, 0, arena.allocate(8, 8));
    iov.set(JAVA_LONG, 8, 1);
    MemorySegment control = arena.allocate(CMSG_BYTES, 8);
    MemorySegment header = arena.allocate(MSGHDR_BYTES, 8);
    header.set(ADDRESS, MSGHDR_IOV, iov);
    header.set(JAVA_LONG, MSGHDR_IOV_COUNT, 1);
    header.set(ADDRESS, MSGHDR_CONTROL, control);
    header.set(JAVA_LONG, MSGHDR_CONTROL_BYTES, CMSG_BYTES);
    long got;
    do {
      got = Libc.result((long) recvmsg.invokeExact(errno, socket, header, 0), errno);
    } while (got == -Errno.EINTR);
    if (got <= 0
        || header.get(JAVA_LONG, MSGHDR_CONTROL_BYTES) < CMSG_BYTES - 4
        || control.get(JAVA_INT, CMSG_LEVEL) != SOL_SOCKET
        || control.get(JAVA_INT, CMSG_TYPE) != SCM_RIGHTS) {
      return -1;
    }
    return control.get(JAVA_INT, CMSG_DATA);
  }

  private static MemorySegment strings(Arena arena, List<String> values) {
    MemorySegment array = arena.allocate(ADDRESS, values.size() + 1L);
    for (int i = 0; i < values.size(); i++) {
      array.setAtIndex(ADDRESS, i, arena.allocateFrom(values.get(i)));
    }
    array.setAtIndex(ADDRESS, values.size(), MemorySegment.NULL);
    return array;
  }

  static void unmount(Path directory) throws IOException {
    Path program = find();
    if (program == null) {
      throw new FuseMountException("fusermount3 is gone; unmount " + directory + " by hand");
    }
    Process process =
        new ProcessBuilder(program.toString(), "-u", "--", directory.toString())
            .redirectErrorStream(true)
            .start();
    String output =
        new String(
            process.getInputStream().readAllBytes(), java.nio.charset.StandardCharsets.UTF_8);
    try {
      if (process.waitFor() != 0) {
        throw new FuseMountException("unmounting " + directory + " failed: " + output.strip());
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new FuseMountException("interrupted while unmounting " + directory);
    }
  }
}
