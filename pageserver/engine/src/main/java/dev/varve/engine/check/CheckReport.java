package dev.varve.engine.check;

import dev.varve.engine.check.Finding.Kind;
import dev.varve.engine.store.ObjectEntry;
import java.time.Duration;
import java.time.Instant;

/** Takes the findings of one check, and tells what is too young to be one. Any thread. */
final class CheckReport {
  final CheckProgress progress = new CheckProgress();
  private final CheckListener listener;
  private final Instant now;
  private final Duration grace;

  CheckReport(CheckListener listener, Instant now, Duration grace) {
    this.listener = listener;
    this.now = now;
    this.grace = grace;
  }

  synchronized void found(Kind kind, String object, String text) {
    progress.findings.incrementAndGet();
    listener.found(new Finding(kind, object, text));
  }

  /** Nothing needs the object: a finding unless it is young. */
  void unneeded(ObjectEntry entry, String text) {
    if (isYoung(entry)) {
      progress.recent.incrementAndGet();
    } else {
      found(Kind.ORPHANED, entry.name(), text);
    }
  }

  /** Whether somebody may be about to do more about the object. */
  boolean isYoung(ObjectEntry entry) {
    return entry.modified().plus(grace).isAfter(now);
  }

  synchronized void progressed() {
    listener.progressed(progress);
  }
}
