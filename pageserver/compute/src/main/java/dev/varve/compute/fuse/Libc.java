package dev.varve.compute.fuse;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * The system calls that Java does not offer, by libc's names. Each answers the call's result, or
 * the negative error number.
 *
 * <p>Thread-safe: the error number is kept per thread.
 */
@SuppressWarnings("restricted") // native calls are what this class is for
public final class Libc {
  public static final int SIGINT = 2;
  public static final int SIGQUIT = 3;
  public static final int SIGKILL = 9;
  public static final int SIGTERM = 15;
  public static final int O_RDWR = 2;
  public static final int O_CLOEXEC = 0x80000;
  public static final long MS_NOSUID = 2;
  public static final long MS_NODEV = 4;
  public static final int MNT_FORCE = 1;
  public static final int MNT_DETACH = 2;

  private static final Linker LINKER = Linker.nativeLinker();
  private static final long ERRNO_OFFSET =
      Linker.Option.captureStateLayout().byteOffset(MemoryLayout.PathElement.groupElement("errno"));
  private static final ThreadLocal<MemorySegment> ERRNO =
      ThreadLocal.withInitial(() -> Arena.ofAuto().allocate(Linker.Option.captureStateLayout()));

  private static final MethodHandle READ =
      handle("read", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG));
  private static final MethodHandle WRITE =
      handle("write", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG));
  private static final MethodHandle OPEN =
      handle("open", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT), 2);
  private static final MethodHandle CLOSE =
      handle("close", FunctionDescriptor.of(JAVA_INT, JAVA_INT));
  private static final MethodHandle IOCTL =
      handle("ioctl", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG, ADDRESS), 2);
  private static final MethodHandle MOUNT =
      handle(
          "mount", FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS, ADDRESS, JAVA_LONG, ADDRESS));
  private static final MethodHandle UMOUNT2 =
      handle("umount2", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT));
  private static final MethodHandle KILL =
      handle("kill", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT));

  private Libc() {}

  /** Links all of them, which takes a tenth of a second; else the first call does. */
  public static void link() {}

  static MethodHandle handle(String name, FunctionDescriptor type) {
    return LINKER.downcallHandle(
        LINKER.defaultLookup().findOrThrow(name), type, Linker.Option.captureCallState("errno"));
  }

  private static MethodHandle handle(String name, FunctionDescriptor type, int firstVariadic) {
    return LINKER.downcallHandle(
        LINKER.defaultLookup().findOrThrow(name),
        type,
        Linker.Option.captureCallState("errno"),
        Linker.Option.firstVariadicArg(firstVariadic));
  }

  static MemorySegment errnoState() {
    return ERRNO.get();
  }

  static long result(long value, MemorySegment state) {
    return value < 0 ? -state.get(JAVA_INT, ERRNO_OFFSET) : value;
  }

  static IllegalStateException unexpected(Throwable t) {
    return new IllegalStateException("a native call failed in the foreign function interface", t);
  }

  static long read(int fd, MemorySegment into, long bytes) {
    MemorySegment errno = ERRNO.get();
    try {
      return result((long) READ.invokeExact(errno, fd, into, bytes), errno);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  static long write(int fd, MemorySegment from, long bytes) {
    MemorySegment errno = ERRNO.get();
    try {
      return result((long) WRITE.invokeExact(errno, fd, from, bytes), errno);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  static int open(String path, int flags) {
    MemorySegment errno = ERRNO.get();
    try (Arena arena = Arena.ofConfined()) {
      return (int) result((int) OPEN.invokeExact(errno, arena.allocateFrom(path), flags), errno);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  static int close(int fd) {
    MemorySegment errno = ERRNO.get();
    try {
      return (int) result((int) CLOSE.invokeExact(errno, fd), errno);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  /** An {@code ioctl} whose argument points to one int. */
  static int ioctl(int fd, long request, int argument) {
    MemorySegment errno = ERRNO.get();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment value = arena.allocateFrom(JAVA_INT, argument);
      return (int) result((int) IOCTL.invokeExact(errno, fd, request, value), errno);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  static int mount(String source, String target, String type, long flags, String options) {
    MemorySegment errno = ERRNO.get();
    try (Arena arena = Arena.ofConfined()) {
      return (int)
          result(
              (int)
                  MOUNT.invokeExact(
                      errno,
                      arena.allocateFrom(source),
                      arena.allocateFrom(target),
                      arena.allocateFrom(type),
                      flags,
                      arena.allocateFrom(options)),
              errno);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  /** Unmounts; {@code flags} 0, or of {@link #MNT_FORCE} and {@link #MNT_DETACH}. */
  public static int umount(String target, int flags) {
    MemorySegment errno = ERRNO.get();
    try (Arena arena = Arena.ofConfined()) {
      return (int)
          result((int) UMOUNT2.invokeExact(errno, arena.allocateFrom(target), flags), errno);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  /** Sends a signal to a process. */
  public static int kill(long pid, int signal) {
    MemorySegment errno = ERRNO.get();
    try {
      return (int) result((int) KILL.invokeExact(errno, Math.toIntExact(pid), signal), errno);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }
}
