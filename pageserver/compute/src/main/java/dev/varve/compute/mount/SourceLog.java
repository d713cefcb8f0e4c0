package dev.varve.compute.mount;

import dev.varve.compute.page.PageSourceException;
import java.io.IOException;
import java.util.HashSet;
import java.util.Set;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.jspecify.annotations.Nullable;

/**
 * Tells the log of a source that fails: one warning for each cause, however many requests fail by
 * it, and one line when requests succeed again. One for a volume. Thread-safe.
 */
public final class SourceLog {
  private static final Logger LOG = Logger.getLogger(SourceLog.class.getName());

  private final String source;
  private final Set<String> causes = new HashSet<>();

  /** Of the failure that nothing has succeeded since; null while all is well. */
  private volatile @Nullable String failure;

  /** Likewise, once it is known that other reads fail too. */
  private volatile @Nullable String unreadable;

  private long failures;

  /**
   * @param source what it is the source of, for people
   */
  public SourceLog(String source) {
    this.source = source;
  }

  /** Why the last read failed, if none has succeeded since; else null. */
  public @Nullable String failure() {
    return failure;
  }

  /** Why nothing can be read; null while something can, as far as is known. */
  public @Nullable String unreadable() {
    return unreadable;
  }

  /** It was not the failed read alone: others fail, too. */
  public synchronized void confirm() {
    unreadable = failure;
  }

  /** A read failed, or is known to fail. */
  public synchronized void failed(IOException failure) {
    this.failure = failure.getMessage();
    failures++;
    String cause =
        failure instanceof PageSourceException refused
            ? refused.kind()
            : failure.getClass().getName();
    if (!causes.add(cause)) {
      return;
    }
    LOG.log(
        failure instanceof PageSourceException ? Level.WARNING : Level.SEVERE,
        source
            + ": "
            + failure.getMessage()
            + ". PostgreSQL is told of an input/output error, and later reads are tried again;"
            + " further failures of this kind are not told until reads succeed");
  }

  public void succeeded() {
    if (failure != null) {
      recovered();
    }
  }

  private synchronized void recovered() {
    if (failure != null) {
      failure = null;
      unreadable = null;
      causes.clear();
      LOG.info(source + ": reads succeed again; " + failures + " failed");
      failures = 0;
    }
  }
}
