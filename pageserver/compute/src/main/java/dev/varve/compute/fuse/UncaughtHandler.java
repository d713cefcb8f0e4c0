package dev.varve.compute.fuse;

import java.util.logging.Level;
import java.util.logging.Logger;

/**
 * What becomes of a throwable that leaves a thread of a program that serves mounts: it is logged,
 * and an {@link Error} ends the program. Its mounts end with it, so that whoever reads them gets an
 * error; a program that lives on with half of its threads leaves them without an answer.
 */
public final class UncaughtHandler implements Thread.UncaughtExceptionHandler {
  private static final Logger LOG = Logger.getLogger(UncaughtHandler.class.getName());
  private static final int EXIT_CODE = 3;

  private UncaughtHandler() {}

  /** Makes it the handler of all threads that have none of their own. */
  public static void install() {
    Thread.setDefaultUncaughtExceptionHandler(new UncaughtHandler());
  }

  @Override
  public void uncaughtException(Thread thread, Throwable e) {
    try {
      LOG.log(Level.SEVERE, "thread " + thread.getName() + " ended", e);
    } finally {
      if (e instanceof Error) {
        Runtime.getRuntime().halt(EXIT_CODE);
      }
    }
  }
}
