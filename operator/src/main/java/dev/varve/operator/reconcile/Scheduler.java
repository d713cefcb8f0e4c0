package dev.varve.operator.reconcile;

import io.javaoperatorsdk.operator.api.config.ConfigurationService;
import java.util.concurrent.ScheduledThreadPoolExecutor;

/**
 * JOSDK's scheduler is made without a core thread; the JDK's then looks for its next task each ten
 * milliseconds for as long as there is one, which there always is.
 */
final class Scheduler {
  private Scheduler() {}

  /** Gives it the one thread that it has anyway, which sleeps until its next task. */
  static void keepAThread(ConfigurationService configuration) {
    if (configuration.getExecutorServiceManager().scheduledExecutorService()
            instanceof ScheduledThreadPoolExecutor pool
        && pool.getCorePoolSize() == 0) {
      pool.setCorePoolSize(1);
    }
  }
}
