package dev.varve.server.http;

import dev.varve.engine.postgres.Lsn;
import dev.varve.engine.store.StoreFailure;
import dev.varve.server.attachment.TimelineReport;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * A timeline as JSON shows it: LSNs as PostgreSQL writes them, the system identifier as text since
 * it does not fit a JSON number.
 */
public record TimelineView(
    String tenant,
    String timeline,
    String shard,
    String timelineId,
    int generation,
    String state,
    String problem,
    String systemIdentifier,
    int postgresMajor,
    String readableFromLsn,
    String receivedLsn,
    String publishedLsn,
    String primaryLsn,
    @Nullable Long lagBytes,
    @Nullable Double lagSeconds,
    long copiedBytes,
    int layerCount,
    long layerBytes,
    long retainedWalBytes,
    double retainedWalSeconds,
    long primaryKeepsAtMostBytes,
    boolean namedSynchronous,
    @Nullable StoreFailure storeFailure) {
  static TimelineView of(TimelineReport report) {
    return new TimelineView(
        report.id().tenant(),
        report.id().timeline(),
        report.id().shard().toString(),
        report.uid().text(),
        report.generation(),
        report.state().name().toLowerCase(Locale.ROOT),
        report.problem(),
        Long.toUnsignedString(report.systemIdentifier()),
        report.postgresMajor(),
        Lsn.format(report.readableFromLsn()),
        Lsn.format(report.receivedLsn()),
        Lsn.format(report.publishedLsn()),
        Lsn.format(report.primaryLsn()),
        report.lagBytes(),
        report.lagSeconds(),
        report.copiedBytes(),
        report.layerCount(),
        report.layerBytes(),
        report.cost().retainedBytes(),
        report.cost().retainedSeconds(),
        report.cost().primaryKeepsAtMostBytes(),
        report.cost().namedSynchronous(),
        report.storeFailure());
  }
}
