package dev.varve.compute.agent;

import java.io.IOException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.logging.Logger;

/**
 * Ties PostgreSQL and its volume together: if one fails, both stop; PostgreSQL always first.
 *
 * <pre>
 * RUNNING --stop()--> fast shutdown --ended--> unmount
 *    |                     |--takes too long--> immediate shutdown
 *    |--mount failure--> immediate shutdown --ended--> unmount, not marked clean
 *    |--PostgreSQL ended--> unmount
 * </pre>
 *
 * <p>From the beginning of a stop no read waits for the pageserver for more than seconds, so that a
 * silent one holds up neither PostgreSQL nor the unmounting.
 */
public final class Supervisor {
  private static final Logger LOG = Logger.getLogger(Supervisor.class.getName());
  private static final long STEP_MILLIS = 100;
  private static final long FAST_SECONDS = 60;
  private static final long IMMEDIATE_SECONDS = 10;

  /** Exit code when the mount, not PostgreSQL, was at fault. */
  public static final int EXIT_FAILURE = 70;

  private final Volume volume;
  private final PostgresProcess postgres;
  private final CountDownLatch stop = new CountDownLatch(1);
  private final CountDownLatch ended = new CountDownLatch(1);

  public Supervisor(Volume volume, PostgresProcess postgres) {
    this.volume = volume;
    this.postgres = postgres;
  }

  /** Asks for an orderly end; any thread. */
  public void stop() {
    stop.countDown();
  }

  /** Waits until {@link #run} has unmounted. */
  public void awaitEnd() throws InterruptedException {
    ended.await();
  }

  /** Blocks until both have ended; the exit code for the process. */
  public int run() throws IOException, InterruptedException {
    try {
      int code = watch();
      volume.close();
      return code;
    } finally {
      ended.countDown();
    }
  }

  private int watch() throws InterruptedException {
    while (!postgres.await(STEP_MILLIS)) {
      String failure = volume.failure();
      if (failure != null) {
        LOG.severe("stopping PostgreSQL: " + failure);
        volume.end();
        postgres.stopImmediately();
        end(IMMEDIATE_SECONDS);
        return EXIT_FAILURE;
      }
      if (stop.await(0, TimeUnit.MILLISECONDS)) {
        volume.end();
        postgres.stopFast();
        end(FAST_SECONDS);
        return postgres.exitCode();
      }
    }
    int code = postgres.exitCode();
    LOG.info("PostgreSQL ended by itself with code " + code);
    return code;
  }

  private void end(long seconds) throws InterruptedException {
    if (postgres.await(TimeUnit.SECONDS.toMillis(seconds))) {
      return;
    }
    LOG.warning("PostgreSQL did not stop within " + seconds + " s; immediate shutdown");
    postgres.stopImmediately();
    if (postgres.await(TimeUnit.SECONDS.toMillis(IMMEDIATE_SECONDS))) {
      return;
    }
    LOG.severe("PostgreSQL did not stop; killing it");
    postgres.kill();
    postgres.await(TimeUnit.SECONDS.toMillis(IMMEDIATE_SECONDS));
  }
}
