package dev.varve.operator.pageserver;

import dev.varve.operator.plan.Report;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.TimeUnit;

/** Which shards of one pod have other LSNs, lags or sizes, each at an interval. Any thread. */
final class MeasureChanges {
  private static final long INTERVAL_NANOS = TimeUnit.SECONDS.toNanos(10);

  private final Map<String, Notified> notified = new HashMap<>();

  /** The report that {@link #next} returned last of a shard, and when. */
  private record Notified(Report report, long nanos) {}

  /**
   * The ids of shards that are new, or differ from what was returned of them an interval ago.
   *
   * @param nowNanos by {@link System#nanoTime}
   */
  synchronized List<String> next(Map<String, Report> reports, long nowNanos) {
    List<String> changed = new ArrayList<>();
    notified.keySet().retainAll(reports.keySet());
    reports.forEach((id, report) -> {
      Notified last = notified.get(id);
      if (last == null
          || (nowNanos - last.nanos >= INTERVAL_NANOS && !isAlike(last.report, report))) {
        notified.put(id, new Notified(report, nowNanos));
        changed.add(id);
      }
    });
    return changed;
  }

  private static boolean isAlike(Report one, Report other) {
    return one.receivedLsn() == other.receivedLsn()
        && one.publishedLsn() == other.publishedLsn()
        && Objects.equals(one.lagBytes(), other.lagBytes())
        && one.copiedBytes() == other.copiedBytes()
        && one.cost().retainedWalBytes() == other.cost().retainedWalBytes();
  }
}
