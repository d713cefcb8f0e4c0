package dev.varve.server.attachment;

import dev.varve.engine.PageserverException;
import dev.varve.server.source.PrimaryLimits;
import dev.varve.server.source.PrimarySource;
import dev.varve.server.source.ReceiverStatus;
import dev.varve.server.source.SlotReport;
import dev.varve.server.source.SourceException;
import dev.varve.server.source.WalRetention;
import java.time.Duration;
import java.util.Locale;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The WAL that one timeline's slot makes its primary keep: measures it, whatever the timeline is
 * about, and holds it to what the user chose. While WAL is received the receiver knows; else the
 * primary is asked, on a thread for that question. When it is too much and the user wants the slot
 * dropped then, the source is given up for good: receiving stops, and the slot is dropped as soon
 * as the primary lets it be. Owned by an {@link Attachment}; {@link RetentionWatch} calls {@link
 * #step}.
 */
final class SourceRetention {
  private static final Logger LOG = LoggerFactory.getLogger(SourceRetention.class);
  private static final Duration ASK_INTERVAL = Duration.ofSeconds(10);

  /** What was measured longer ago is not known any more. */
  private static final Duration MEASURE_AGE = ASK_INTERVAL.multipliedBy(3);

  private final String name;
  private final PrimarySource source;
  private final Runnable requireOwner;
  private final Runnable stopReceiving;
  private final AtomicBoolean asking = new AtomicBoolean();
  private volatile Measure measure = new Measure(0, 0, 0, System.nanoTime(), PrimaryLimits.UNKNOWN);
  private volatile long answeredNanos = System.nanoTime() - MEASURE_AGE.toNanos();
  private volatile boolean givenUp;
  private volatile String givenUpBecause = "";
  private volatile boolean slotDropped;
  private volatile long askedNanos = System.nanoTime() - ASK_INTERVAL.toNanos();

  /**
   * @param name the timeline's
   * @param requireOwner throws {@link PageserverException.Fenced} when another pageserver has the
   *     timeline, whose slot is not to be touched then
   * @param stopReceiving ends the copy or the receiver, and whatever tries again; does not wait
   */
  SourceRetention(
      String name, PrimarySource source, Runnable requireOwner, Runnable stopReceiving) {
    this.name = name;
    this.source = source;
    this.requireOwner = requireOwner;
    this.stopReceiving = stopReceiving;
  }

  /** Whether nothing is to be received any more. */
  boolean isGivenUp() {
    return givenUp;
  }

  /** Where the primary's WAL ended when it was asked a moment ago; 0: not known. */
  long walEndLsn() {
    return System.nanoTime() - answeredNanos < MEASURE_AGE.toNanos() ? measure.walEndLsn() : 0;
  }

  SourceCost cost() {
    Measure now = measure;
    return new SourceCost(
        now.bytes(),
        now.bytes() == 0 ? 0 : (System.nanoTime() - now.movedNanos()) / 1e9,
        now.limits().maxSlotWalKeepBytes(),
        now.limits().nameSynchronous(name));
  }

  /**
   * What is wrong and what to do about it; empty while the primary keeps no more than it may.
   *
   * @param reason why the WAL is not taken; empty when nothing is wrong but that
   */
  String problem(String reason) {
    if (givenUp) {
      return givenUpBecause
          + (slotDropped
              ? ""
              : "; the slot is still to be dropped, since the primary did not let it");
    }
    return isTooMuch()
        ? tooMuch(reason) + "; see to it that it is taken in, or detach the timeline with its slot"
        : "";
  }

  /**
   * Looks once; does not block.
   *
   * @param status the receiver's; null: there is none
   * @param reason why the WAL is not taken, as {@link #problem} has it
   */
  void step(@Nullable ReceiverStatus status, String reason) {
    boolean connected = status != null && status.isConnected();
    if (status != null && connected && !givenUp) {
      measured(status.confirmedLsn(), status.sourceLsn(), status.limits());
    }
    boolean tooMuch = !givenUp && retention().dropsSlot() && isTooMuch();
    boolean toAsk =
        !connected && !givenUp && System.nanoTime() - askedNanos >= ASK_INTERVAL.toNanos();
    boolean toDrop = givenUp && !slotDropped;
    if ((tooMuch || toAsk || toDrop) && asking.compareAndSet(false, true)) {
      Thread.ofVirtual().name("varve-retention-" + name).start(() -> ask(connected, reason));
    }
  }

  private void ask(boolean connected, String reason) {
    try {
      if (!connected && !givenUp) {
        SlotReport report = source.slot().report();
        measured(report.restartLsn(), report.walEndLsn(), report.limits());
        answeredNanos = System.nanoTime();
      }
      if (!givenUp && retention().dropsSlot() && isTooMuch() && isOwner()) {
        giveUp(reason);
      }
      if (givenUp && !slotDropped) {
        source.slot().drop();
        slotDropped = true;
        LOG.info("{}: dropped its slot", name);
      }
    } catch (SourceException e) {
      LOG.debug("{}: cannot see to its slot: {}", name, e.getMessage());
    } finally {
      askedNanos = System.nanoTime();
      asking.set(false);
    }
  }

  /** When that cannot be told since the object store does not answer, the primary comes first. */
  private boolean isOwner() {
    try {
      requireOwner.run();
      return true;
    } catch (PageserverException.Fenced | PageserverException.NotHere e) {
      return false;
    } catch (PageserverException.Unavailable e) {
      return true;
    }
  }

  private void giveUp(String reason) {
    givenUpBecause =
        tooMuch(reason)
            + "; the slot is dropped and nothing is received any more, as retainedWalAction wants it:"
            + " what was received stays readable; to follow the primary again attach it under another"
            + " name, which copies it anew, or, while it still has the WAL, make the slot again and"
            + " detach and attach this timeline";
    LOG.warn("{}: {}", name, givenUpBecause);
    givenUp = true;
    stopReceiving.run();
  }

  /**
   * The same text as long as the reason is the same: it is shown, and compared, again and again.
   */
  private String tooMuch(String reason) {
    return "the primary keeps WAL for slot \""
        + source.settings().slot()
        + "\", more than the "
        + String.format(Locale.ROOT, "%.1f MB", retention().maxBytes() / 1048576.0)
        + " of maxRetainedWal"
        + (reason.isEmpty() ? "" : ", since WAL is not taken: " + reason);
  }

  private WalRetention retention() {
    return source.settings().retention();
  }

  private boolean isTooMuch() {
    return retention().isExceededBy(measure.bytes());
  }

  private synchronized void measured(long restartLsn, long walEndLsn, PrimaryLimits limits) {
    Measure last = measure;
    long bytes = restartLsn == 0 ? 0 : Math.max(0, walEndLsn - restartLsn);
    boolean moved = bytes == 0 || restartLsn != last.restartLsn();
    long now = System.nanoTime();
    measure = new Measure(restartLsn, bytes, walEndLsn, moved ? now : last.movedNanos(), limits);
  }

  /** What was found last, and when the slot was found to have moved. */
  private record Measure(
      long restartLsn, long bytes, long walEndLsn, long movedNanos, PrimaryLimits limits) {}
}
