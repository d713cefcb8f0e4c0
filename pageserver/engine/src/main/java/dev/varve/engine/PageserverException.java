package dev.varve.engine;

import dev.varve.format.FormatException;
import org.jspecify.annotations.Nullable;

/**
 * What went wrong, by what the caller is to do about it. Messages name the thing concerned
 * (timeline, LSN, file, block) and, where a person can mend it, how.
 */
public abstract sealed class PageserverException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private PageserverException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }

  /** Why a file or object cannot be read. */
  public static PageserverException of(FormatException e) {
    String message = String.valueOf(e.getMessage());
    return switch (e) {
      case FormatException.TooNew _ -> new TooNew(message, e);
      case FormatException.TooOld _ -> new TooOld(message, e);
      case FormatException.Damaged _ -> new Corrupt(message, e);
    };
  }

  /** The request cannot be right; mend it before sending it again. */
  public static final class InvalidRequest extends PageserverException {
    private static final long serialVersionUID = 1L;

    public InvalidRequest(String message) {
      super(message, null);
    }
  }

  /** The caller did not show the token that this needs; get it, then ask again. */
  public static final class Unauthenticated extends PageserverException {
    private static final long serialVersionUID = 1L;

    public Unauthenticated(String message) {
      super(message, null);
    }
  }

  /** It is kept by another pageserver or shard; find out by which, then ask that one. */
  public static final class NotHere extends PageserverException {
    private static final long serialVersionUID = 1L;

    public NotHere(String message) {
      super(message, null);
    }
  }

  /** There is no such timeline, relation or object. */
  public static final class NotFound extends PageserverException {
    private static final long serialVersionUID = 1L;

    public NotFound(String message) {
      super(message, null);
    }
  }

  /** The LSN has not been received yet; wait and ask again. */
  public static final class LsnNotReceived extends PageserverException {
    private static final long serialVersionUID = 1L;

    public LsnNotReceived(String message) {
      super(message, null);
    }
  }

  /** The LSN lies below what is kept. */
  public static final class LsnCollected extends PageserverException {
    private static final long serialVersionUID = 1L;

    public LsnCollected(String message) {
      super(message, null);
    }
  }

  /**
   * The data is stored in other shards than were asked for; ask for those, or take another name.
   */
  public static final class LayoutDiffers extends PageserverException {
    private static final long serialVersionUID = 1L;

    public LayoutDiffers(String message) {
      super(message, null);
    }
  }

  /** Another owner with a higher generation took over; stop. */
  public static final class Fenced extends PageserverException {
    private static final long serialVersionUID = 1L;

    public Fenced(String message) {
      super(message, null);
    }
  }

  /** Not now: object store, disk or source is failing. Try again. */
  public static final class Unavailable extends PageserverException {
    private static final long serialVersionUID = 1L;

    public Unavailable(String message, @Nullable Throwable cause) {
      super(message, cause);
    }
  }

  /** A newer release wrote a file or object; run that release, or a newer one. */
  public static final class TooNew extends PageserverException {
    private static final long serialVersionUID = 1L;

    public TooNew(String message, @Nullable Throwable cause) {
      super(message, cause);
    }
  }

  /** An older release wrote a file or object that this one reads no more; run one that does. */
  public static final class TooOld extends PageserverException {
    private static final long serialVersionUID = 1L;

    public TooOld(String message, @Nullable Throwable cause) {
      super(message, cause);
    }
  }

  /** Bytes are not what was written, or WAL says something that cannot be; a person must look. */
  public static final class Corrupt extends PageserverException {
    private static final long serialVersionUID = 1L;

    public Corrupt(String message) {
      super(message, null);
    }

    public Corrupt(String message, @Nullable Throwable cause) {
      super(message, cause);
    }
  }
}
