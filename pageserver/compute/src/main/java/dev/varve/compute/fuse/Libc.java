package dev.varve.compute.fuse;

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
 * <p>One shape serves them all: five long integers in, one out. On x86-64 and AArch64 integers and
 * pointers are passed in the same registers, a function ignores those that it has no parameter for,
 * and Linux passes variable arguments no differently. Linking a shape takes a start's time, and a
 * shape for each function took four times as long.
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

  private static final MethodHandle CALL =
      LINKER.downcallHandle(
          FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG),
          Linker.Option.captureCallState("errno"));

  private static final MemorySegment READ = function("read");
  private static final MemorySegment WRITE = function("write");
  private static final MemorySegment OPEN = function("open");
  private static final MemorySegment CLOSE = function("close");
  private static final MemorySegment SYNCFS = function("syncfs");
  private static final MemorySegment IOCTL = function("ioctl");
  private static final MemorySegment MOUNT = function("mount");
  private static final MemorySegment UMOUNT2 = function("umount2");
  private static final MemorySegment KILL = function("kill");
  private static final MemorySegment MALLOC = function("malloc");
  private static final MemorySegment FREE = function("free");

  private Libc() {}

  /**
   * Links the one shape, and calls through it once, so that a start need not wait for that where it
   * first needs it: on another thread.
   */
  public static void link() {
    close(-1);
  }

  private static MemorySegment function(String name) {
    return LINKER.defaultLookup().findOrThrow(name);
  }

  /** A function of a shape of its own. */
  static MethodHandle handle(String name, FunctionDescriptor type) {
    return LINKER.downcallHandle(function(name), type, Linker.Option.captureCallState("errno"));
  }

  private static long call(MemorySegment function, long a, long b, long c, long d, long e) {
    MemorySegment errno = ERRNO.get();
    try {
      long value = (long) CALL.invokeExact(function, errno, a, b, c, d, e);
      return result(value, errno);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  /** Of a function that answers an {@code int}: the upper half of what comes back is undefined. */
  private static int callInt(MemorySegment function, long a, long b, long c, long d, long e) {
    MemorySegment errno = ERRNO.get();
    try {
      int value = (int) (long) CALL.invokeExact(function, errno, a, b, c, d, e);
      return (int) result(value, errno);
    } catch (Throwable t) {
      throw unexpected(t);
    }
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
    return call(READ, fd, into.address(), bytes, 0, 0);
  }

  static long write(int fd, MemorySegment from, long bytes) {
    return call(WRITE, fd, from.address(), bytes, 0, 0);
  }

  static int open(String path, int flags) {
    try (Arena arena = Arena.ofConfined()) {
      return callInt(OPEN, arena.allocateFrom(path).address(), flags, 0, 0, 0);
    }
  }

  static int close(int fd) {
    return callInt(CLOSE, fd, 0, 0, 0, 0);
  }

  static int syncfs(int fd) {
    return callInt(SYNCFS, fd, 0, 0, 0, 0);
  }

  /** An {@code ioctl} whose argument points to one int. */
  static int ioctl(int fd, long request, int argument) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment value = arena.allocateFrom(JAVA_INT, argument);
      return callInt(IOCTL, fd, request, value.address(), 0, 0);
    }
  }

  static int mount(String source, String target, String type, long flags, String options) {
    try (Arena arena = Arena.ofConfined()) {
      return callInt(
          MOUNT,
          arena.allocateFrom(source).address(),
          arena.allocateFrom(target).address(),
          arena.allocateFrom(type).address(),
          flags,
          arena.allocateFrom(options).address());
    }
  }

  /** Unmounts; {@code flags} 0, or of {@link #MNT_FORCE} and {@link #MNT_DETACH}. */
  public static int umount(String target, int flags) {
    try (Arena arena = Arena.ofConfined()) {
      return callInt(UMOUNT2, arena.allocateFrom(target).address(), flags, 0, 0, 0);
    }
  }

  /** Sends a signal to a process. */
  public static int kill(long pid, int signal) {
    if (pid != (int) pid) {
      throw new IllegalArgumentException("no process has the number " + pid);
    }
    return callInt(KILL, pid, signal, 0, 0, 0);
  }

  /**
   * Memory with nothing in it: unlike an arena's it is not written to first, so what is never used
   * of a large piece costs nothing. To be given to {@link #free}, once.
   *
   * @throws OutOfMemoryError when there is none
   */
  static MemorySegment malloc(long bytes) {
    long address = call(MALLOC, bytes, 0, 0, 0, 0);
    if (address <= 0) {
      throw new OutOfMemoryError("no memory for " + bytes + " bytes");
    }
    return MemorySegment.ofAddress(address).reinterpret(bytes);
  }

  static void free(MemorySegment memory) {
    call(FREE, memory.address(), 0, 0, 0, 0);
  }
}
