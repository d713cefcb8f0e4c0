package dev.varve.compute.fuse;

/**
 * A request is answered with an error number. Carries no stack trace: it is part of normal work (a
 * name that does not exist).
 */
public final class FuseException extends Exception {
  private static final long serialVersionUID = 1L;

  private final int errno;

  public FuseException(int errno) {
    super(Errno.describe(errno), null, false, false);
    this.errno = errno;
  }

  /** Positive, one of {@link Errno}. */
  public int errno() {
    return errno;
  }
}
