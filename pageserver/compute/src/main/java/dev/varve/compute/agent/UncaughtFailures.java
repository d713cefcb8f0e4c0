package dev.varve.compute.agent;

import java.util.logging.Level;
import java.util.logging.Logger;

/**
 * What becomes of a failure that nothing else caught, on whatever thread: it is in the log, and an
 * {@link Error} ends the process, since nobody can say what else it broke. The kernel then ends the
 * requests of its mounts, and PostgreSQL or its pod is ended by whoever watches this process. That
 * the memory ran out ends the process sooner where the JVM was given {@code
 * -XX:+ExitOnOutOfMemoryError}.
 */
public final class UncaughtFailures implements Thread.UncaughtExceptionHandler {
  private static final Logger LOG = Logger.getLogger(UncaughtFailures.class.getName());
  private static final int EXIT = 71;

  private UncaughtFailures() {}

  /** For all threads of the process that have no handler of their own. */
  public static void install() {
    Thread.setDefaultUncaughtExceptionHandler(new UncaughtFailures());
  }

  @Override
  public void uncaughtException(Thread thread, Throwable failure) {
    try {
      LOG.log(Level.SEVERE, "thread " + thread.getName() + " died", failure);
    } finally {
      if (failure instanceof Error) {
        Runtime.getRuntime().halt(EXIT);
      }
    }
  }
}
