package dev.varve.server.attachment;

import java.util.Collection;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Looks every second at what all attached timelines make their primaries keep. One thread for all
 * of them, which never waits for a primary.
 */
final class RetentionWatch implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(RetentionWatch.class);
  private static final long INTERVAL_MILLIS = 1_000;

  private final Collection<Attachment> attachments;
  private final CountDownLatch closed = new CountDownLatch(1);

  /**
   * @param attachments a view of those that there are, for any thread
   */
  RetentionWatch(Collection<Attachment> attachments) {
    this.attachments = attachments;
  }

  void start() {
    Thread.ofVirtual().name("varve-retention").start(this::run);
  }

  private void run() {
    try {
      while (!closed.await(INTERVAL_MILLIS, TimeUnit.MILLISECONDS)) {
        attachments.forEach(RetentionWatch::watch);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** What goes wrong with one concerns no other. */
  private static void watch(Attachment attachment) {
    try {
      attachment.watchRetention();
    } catch (RuntimeException e) {
      LOG.error("{}: the WAL that its primary keeps is not watched", attachment.id(), e);
    }
  }

  @Override
  public void close() {
    closed.countDown();
  }
}
