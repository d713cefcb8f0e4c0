package dev.varve.server.attachment;

import dev.varve.engine.catalog.ClusterView;
import dev.varve.engine.catalog.RelationPage;
import dev.varve.engine.image.ThinImage;
import dev.varve.engine.postgres.ForkNumber;
import dev.varve.engine.postgres.RelFileLocator;
import dev.varve.engine.timeline.Timeline;
import java.io.IOException;
import java.io.OutputStream;
import java.util.Collection;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Starts of computes that nobody asked for, made once in a pageserver's life, of the first timeline
 * that can be read: the code of an image, of lists and of page reads is loaded and compiled then,
 * and the first compute does not wait for that, nor for the catalogs. A few rounds and two seconds
 * at most, on a thread of its own; whatever goes wrong is left to be found by someone who starts a
 * compute.
 */
final class StartRehearsal implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(StartRehearsal.class);
  private static final int ROUNDS = 20;
  private static final long LIMIT_NANOS = TimeUnit.SECONDS.toNanos(2);
  private static final long POLL_MILLIS = 50;

  /** Relations below are catalogs (PostgreSQL 17 src/include/access/transam.h). */
  private static final int FIRST_NORMAL_OBJECT_ID = 16384;

  /** {@code template1} and {@code template0}, which few connect to. */
  private static final Set<Integer> TEMPLATES = Set.of(1, 4);

  /** Databases whose catalogs are read. */
  private static final int DATABASES = 4;

  /** Of one catalog. */
  private static final int BLOCKS = 64;

  private final Collection<Attachment> attachments;
  private final AtomicBoolean begun = new AtomicBoolean();
  private final CountDownLatch closed = new CountDownLatch(1);
  private final CountDownLatch ended = new CountDownLatch(1);
  private int rounds;
  private long deadline;

  /**
   * @param attachments a view of those that there are, for any thread
   */
  StartRehearsal(Collection<Attachment> attachments) {
    this.attachments = attachments;
  }

  /** Something is attached. The first call starts the thread, others do nothing. */
  void begin() {
    if (begun.compareAndSet(false, true)) {
      Thread.ofPlatform().daemon().name("varve-rehearsal").start(this::run);
    }
  }

  /** Waits for the end; how many rounds were made then. */
  int await(long seconds) throws InterruptedException {
    if (!ended.await(seconds, TimeUnit.SECONDS)) {
      throw new IllegalStateException("no timeline could be read within " + seconds + " s");
    }
    return rounds;
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
      deadline = System.nanoTime() + LIMIT_NANOS;
      while (rounds < ROUNDS && goesOn()) {
        start(timeline);
        rounds++;
      }
      LOG.debug("{}: {} rounds", timeline.name(), rounds);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (IOException | RuntimeException e) {
      LOG.debug("no rehearsal of a start", e);
    } catch (Error e) {
      LOG.error("no rehearsal of a start", e);
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

  private boolean goesOn() {
    return closed.getCount() > 0 && System.nanoTime() < deadline;
  }

  /**
   * What a compute asks for until its first query: the image, every database's list, and the
   * catalogs. Of a shard's timeline no pages: most are another's.
   */
  private void start(Timeline timeline) throws IOException {
    ThinImage image = ThinImage.at(timeline, timeline.receivedLsn());
    image.writeWithoutOldSegments(OutputStream.nullOutputStream());
    int databases = timeline.shard().count() == 1 ? DATABASES : 0;
    for (ClusterView.Directory directory : image.directories()) {
      if (!goesOn()) {
        return;
      }
      RelationPage relations =
          timeline
              .view(image.lsn())
              .relations(
                  directory.tablespaceOid(), directory.databaseOid(), 0, ClusterView.PAGE_FORKS);
      if (databases > 0 && !TEMPLATES.contains(directory.databaseOid())) {
        databases--;
        readCatalogs(timeline, directory, relations, image.lsn());
      }
    }
  }

  private void readCatalogs(
      Timeline timeline, ClusterView.Directory directory, RelationPage relations, long lsn) {
    for (int i = 0; i < relations.size(); i++) {
      if (!goesOn()) {
        return;
      }
      int number = relations.relationNumber(i);
      if (Integer.compareUnsigned(number, FIRST_NORMAL_OBJECT_ID) < 0
          && relations.fork(i) == ForkNumber.MAIN
          && relations.blocks(i) > 0) {
        timeline.sharedPages(
            new RelFileLocator(directory.tablespaceOid(), directory.databaseOid(), number),
            ForkNumber.MAIN,
            0,
            Math.min(relations.blocks(i), BLOCKS),
            lsn);
      }
    }
  }

  /** Begins nothing more; does not wait for what is under way. */
  @Override
  public void close() {
    closed.countDown();
  }
}
