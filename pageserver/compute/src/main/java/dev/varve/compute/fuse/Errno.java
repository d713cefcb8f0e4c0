package dev.varve.compute.fuse;

/**
 * Linux error numbers that the mount answers or explains. Source: Linux
 * include/uapi/asm-generic/errno-base.h, errno.h.
 */
public final class Errno {
  public static final int EPERM = 1;
  public static final int ENOENT = 2;
  public static final int EINTR = 4;
  public static final int EIO = 5;
  public static final int EBADF = 9;
  public static final int EAGAIN = 11;
  public static final int EACCES = 13;
  public static final int EBUSY = 16;
  public static final int EEXIST = 17;
  public static final int ENODEV = 19;
  public static final int ENOTDIR = 20;
  public static final int EISDIR = 21;
  public static final int EINVAL = 22;
  public static final int EFBIG = 27;
  public static final int ENOSPC = 28;
  public static final int ENOSYS = 38;
  public static final int ENOTEMPTY = 39;
  public static final int EOPNOTSUPP = 95;
  public static final int ENOTCONN = 107;

  private Errno() {}

  /** {@code EPERM (1)} for the numbers above, {@code errno 42} for others. */
  public static String describe(int errno) {
    return switch (errno) {
      case EPERM -> "EPERM, operation not permitted";
      case ENOENT -> "ENOENT, no such file or directory";
      case EIO -> "EIO, input/output error";
      case EACCES -> "EACCES, permission denied";
      case EBUSY -> "EBUSY, in use";
      case ENODEV -> "ENODEV, no such device";
      case EINVAL -> "EINVAL, invalid argument";
      case ENOSPC -> "ENOSPC, no space left";
      case ENOTCONN -> "ENOTCONN, not connected";
      default -> "errno " + errno;
    };
  }
}
