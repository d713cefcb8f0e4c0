package dev.varve.server.attachment;

import dev.varve.engine.image.ThinImage;
import dev.varve.engine.timeline.ClusterView;
import dev.varve.engine.timeline.Timeline;
import java.io.IOException;
import java.io.OutputStream;
import java.util.Collection;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Thin images that nobody asked for, made once in a pageserver's life, of the first timeline that
 * can be read: the code of an image is loaded and compiled then, and the first compute does not
 * wait for that. A few images and two seconds at most, on a thread of its own; whatever goes wrong
 * is left to be found by someone who needs an image.
 */
final class ImageRehearsal implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(ImageRehearsal.class);
  private static final int IMAGES = 5;
  private static final long LIMIT_NANOS = TimeUnit.SECONDS.toNanos(2);
  private static final long POLL_MILLIS = 50;

  private final Collection<Attachment> attachments;
  private final AtomicBoolean begun = new AtomicBoolean();
  private final CountDownLatch closed = new CountDownLatch(1);
  private final CountDownLatch ended = new CountDownLatch(1);
  private int images;

  /**
   * @param attachments a view of those that there are, for any thread
   */
  ImageRehearsal(Collection<Attachment> attachments) {
    this.attachments = attachments;
  }

  /** Something is attached. The first call starts the thread, others do nothing. */
  void begin() {
    if (begun.compareAndSet(false, true)) {
      Thread.ofPlatform().daemon().name("varve-rehearsal").start(this::run);
    }
  }

  /** Waits for the end; how many images were made then. */
  int await(long seconds) throws InterruptedException {
    if (!ended.await(seconds, TimeUnit.SECONDS)) {
      throw new IllegalStateException("no timeline could be read within " + seconds + " s");
    }
    return images;
  }

  private void run() {
    try {
      Timeline timeline = readable();
      while (timeline == null) {
        if (closed.await(POLL_MILLIS, TimeUnit.MILLISECONDS)) {
          return;
        }
        timeline = readable();
      }
      long start = System.nanoTime();
      while (images < IMAGES && closed.getCount() > 0 && System.nanoTime() - start < LIMIT_NANOS) {
        make(timeline);
        images++;
      }
      LOG.debug("{}: {} images in {} ns", timeline.name(), images, System.nanoTime() - start);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (IOException | RuntimeException e) {
      LOG.debug("no rehearsal of an image", e);
    } finally {
      ended.countDown();
    }
  }

  private @Nullable Timeline readable() {
    for (Attachment attachment : attachments) {
      Timeline timeline = attachment.readable();
      if (timeline != null) {
        return timeline;
      }
    }
    return null;
  }

  /** What a compute asks for before its PostgreSQL runs: the image, and every database's list. */
  private static void make(Timeline timeline) throws IOException {
    ThinImage image = ThinImage.at(timeline, timeline.receivedLsn());
    image.writeTo(OutputStream.nullOutputStream());
    for (ClusterView.Directory directory : image.directories()) {
      timeline.listRelations(directory.tablespaceOid(), directory.databaseOid(), image.lsn());
    }
  }

  /** Makes no further image; does not wait for one that is being made. */
  @Override
  public void close() {
    closed.countDown();
  }
}
