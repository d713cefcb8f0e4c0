package dev.varve.operator.plan;

import dev.varve.crd.Condition;
import dev.varve.crd.ShardAttachment;
import dev.varve.crd.TimelineStatus;
import java.time.Instant;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import java.util.function.ToLongFunction;
import org.jspecify.annotations.Nullable;

/** The LSNs, lags and sizes of a status, which change all the time. */
public final class Measures {
  private Measures() {}

  /** {@code status} with the measures of another. */
  static TimelineStatus kept(TimelineStatus status, @Nullable TimelineStatus from) {
    return from == null ? status : copy(status, from, from.measuredAt());
  }

  /**
   * {@code status} with what the shards say: of LSNs the lowest, of lags the longest, of sizes the
   * sum, and the rest as shard 0 says it. From where it can be read is known once all shards can
   * be, and then for good: while one is loaded again as well.
   *
   * @param reports one for each shard, in order
   */
  static TimelineStatus taken(
      TimelineStatus status, List<Report> reports, @Nullable TimelineStatus before, Instant now) {
    Report first = reports.getFirst();
    boolean isReadable = reports.stream().allMatch(r -> r.readableFromLsn() != 0);
    return new TimelineStatus(
        status.observedGeneration(),
        status.conditions(),
        status.timelineId(),
        status.address(),
        status.slot(),
        first.postgresMajor() == 0 ? null : first.postgresMajor(),
        first.systemIdentifier() == 0 ? null : Long.toUnsignedString(first.systemIdentifier()),
        isReadable
            ? lsn(reports.stream().mapToLong(Report::readableFromLsn).max().orElseThrow())
            : before == null ? null : before.readableFromLsn(),
        lsn(lowest(reports, Report::receivedLsn)),
        lsn(lowest(reports, Report::publishedLsn)),
        longest(reports, Report::lagBytes),
        longest(
            reports,
            report -> {
              Double seconds = report.lagSeconds();
              return seconds == null ? null : Math.round(seconds);
            }),
        reports.stream().mapToLong(r -> r.cost().retainedWalBytes()).max().orElseThrow(),
        Math.round(
            reports.stream().mapToDouble(r -> r.cost().retainedWalSeconds()).max().orElseThrow()),
        reports.stream().mapToLong(Report::copiedBytes).sum(),
        reports.stream().mapToLong(Report::layerBytes).sum(),
        Conditions.text(now),
        status.shards());
  }

  /** Null when one is not known. */
  private static @Nullable Long longest(
      List<Report> reports, Function<Report, @Nullable Long> lag) {
    long longest = 0;
    for (Report report : reports) {
      Long one = lag.apply(report);
      if (one == null) {
        return null;
      }
      longest = Math.max(longest, one);
    }
    return longest;
  }

  private static long lowest(List<Report> reports, ToLongFunction<Report> lsn) {
    return reports.stream().mapToLong(lsn).min().orElseThrow();
  }

  /** Whether the two differ in nothing but the time of the measures. */
  static boolean isAlike(TimelineStatus one, TimelineStatus other) {
    return copy(one, one, other.measuredAt()).equals(other);
  }

  /** A status without any measures. */
  static TimelineStatus none(
      @Nullable Long observedGeneration,
      @Nullable List<Condition> conditions,
      @Nullable String timelineId,
      @Nullable String address,
      @Nullable String slot,
      @Nullable List<ShardAttachment> shards) {
    return new TimelineStatus(
        observedGeneration,
        conditions,
        timelineId,
        address,
        slot,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        shards);
  }

  /** {@code status} with id, slot and shards written anew. */
  static TimelineStatus withShards(
      @Nullable TimelineStatus status,
      String timelineId,
      @Nullable String slot,
      List<ShardAttachment> shards) {
    return status == null
        ? none(null, null, timelineId, null, slot, shards)
        : kept(
            none(
                status.observedGeneration(),
                status.conditions(),
                timelineId,
                status.address(),
                slot,
                shards),
            status);
  }

  private static TimelineStatus copy(
      TimelineStatus status, TimelineStatus from, @Nullable String time) {
    return new TimelineStatus(
        status.observedGeneration(),
        status.conditions(),
        status.timelineId(),
        status.address(),
        status.slot(),
        from.postgresMajor(),
        from.systemIdentifier(),
        from.readableFromLsn(),
        from.receivedLsn(),
        from.publishedLsn(),
        from.lagBytes(),
        from.lagSeconds(),
        from.retainedWalBytes(),
        from.retainedWalSeconds(),
        from.copiedBytes(),
        from.layerBytes(),
        time,
        status.shards());
  }

  /** As PostgreSQL writes it; null for 0. */
  public static @Nullable String lsn(long lsn) {
    return lsn == 0 ? null : String.format(Locale.ROOT, "%X/%X", lsn >>> 32, lsn & 0xFFFF_FFFFL);
  }
}
