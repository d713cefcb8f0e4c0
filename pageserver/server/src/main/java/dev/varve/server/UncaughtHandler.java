package dev.varve.server;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What becomes of a throwable that leaves a thread: it is logged, and an {@link Error} ends the
 * program, since nobody can tell what is left undone. A supervisor starts it again. Whoever owns a
 * thread catches what concerns one timeline only before it gets here.
 */
final class UncaughtHandler implements Thread.UncaughtExceptionHandler {
  static final int EXIT_CODE = 3;

  private static final Logger LOG = LoggerFactory.getLogger(UncaughtHandler.class);

  @Override
  public void uncaughtException(Thread thread, Throwable e) {
    try {
      LOG.error("thread {} ended", thread.getName(), e);
    } finally {
      if (e instanceof Error) {
        Runtime.getRuntime().halt(EXIT_CODE);
      }
    }
  }
}
