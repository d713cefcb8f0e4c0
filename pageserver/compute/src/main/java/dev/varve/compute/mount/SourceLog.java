package dev.varve.compute.mount;

import dev.varve.compute.page.PageSourceException;
import java.io.IOException;
import java.util.HashSet;
import java.util.Set;
import java.util.logging.Level;
import java.util.logging.Logger;

/**
 * Tells the log of a source that fails: one warning for each cause, however many requests fail by
 * it, and one line when requests succeed again. One for a volume. Thread-safe.
 */
public final class SourceLog {
  private static final Logger LOG = Logger.getLogger(SourceLog.class.getName());

  private final String source;
  private final Set<String> causes = new HashSet<>();
  private volatile boolean failing;
  private long failures;

  /**
   * @param source what it is the source of, for people
   */
  public SourceLog(String source) {
    this.source = source;
  }

  synchronized void failed(IOException failure) {
    failing = true;
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

  void succeeded() {
    if (failing) {
      recovered();
    }
  }

  private synchronized void recovered() {
    if (failing) {
      failing = false;
      causes.clear();
      LOG.info(source + ": reads succeed again; " + failures + " failed");
      failures = 0;
    }
  }
}
