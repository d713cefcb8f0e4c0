package dev.varve.server.attachment;

import dev.varve.engine.PageserverException;
import dev.varve.engine.postgres.ClusterIdentity;
import dev.varve.engine.store.FailureText;
import dev.varve.engine.store.StoreFailure;
import dev.varve.engine.tenant.TimelineId;
import dev.varve.engine.tenant.TimelineName;
import dev.varve.engine.timeline.Timeline;
import dev.varve.server.source.ReceiverStatus;
import dev.varve.server.source.SourceFailure;
import org.jspecify.annotations.Nullable;

/**
 * What the parts of an {@link Attachment} say of themselves at one moment, and what follows: its
 * state, what is wrong with it, and its report.
 *
 * @param phase what the attachment's thread is about; counts while nothing is received
 * @param phaseFailure what is wrong with that
 * @param timeline null: not loaded yet
 * @param takenOver whether the timeline was handed over
 * @param receiver null: nothing is received
 * @param retention null: there is no source
 * @param storeFailure what every timeline meets at the object store; null: nothing that is known
 */
record AttachmentSnapshot(
    TimelineName id,
    TimelineId uid,
    AttachmentState phase,
    SourceFailure phaseFailure,
    @Nullable Timeline timeline,
    boolean takenOver,
    @Nullable ReceiverStatus receiver,
    @Nullable SourceRetention retention,
    long copiedBytes,
    @Nullable StoreFailure storeFailure) {
  private static final SourceCost NO_COST = new SourceCost(0, 0, 0, false);

  /** Whether another pageserver has the timeline, or is about to. */
  boolean isAnothers() {
    PageserverException failure = failure();
    return takenOver
        || failure instanceof PageserverException.Fenced
        || failure instanceof PageserverException.NotHere
        || (receiver != null && receiver.state() == ReceiverStatus.State.FENCED);
  }

  private @Nullable PageserverException failure() {
    return timeline == null ? null : timeline.failure();
  }

  /** Why WAL is not taken, or what else is wrong; empty while nothing is. */
  String reason() {
    return switch (failure()) {
      case null -> outage();
      // Nothing is wrong with a timeline that was handed over.
      case PageserverException.NotHere _ -> "";
      case PageserverException failure -> FailureText.of(failure);
    };
  }

  /** The source's failure, else the storage's, which leaves WAL coming in as long as it fits. */
  private String outage() {
    String current = current().text();
    return current.isEmpty() && timeline != null ? timeline.storageFailures() : current;
  }

  private SourceFailure current() {
    return receiver != null ? receiver.failure() : phaseFailure;
  }

  /** What is wrong, and what the primary keeps for it when that is too much. */
  private String problem() {
    String reason = reason();
    String kept = retention == null || takenOver ? "" : retention.problem(reason);
    return kept.isEmpty() ? reason : kept;
  }

  private AttachmentState state() {
    if (failure() != null) {
      return takenOver ? AttachmentState.HANDED_OVER : AttachmentState.BROKEN;
    }
    if (retention != null && retention.isGivenUp()) {
      return AttachmentState.SOURCE_GIVEN_UP;
    }
    if (receiver == null || timeline == null) {
      return phase;
    }
    return switch (receiver.state()) {
      case SOURCE_FAILING, SINK_FAILING -> AttachmentState.SOURCE_FAILING;
      case FENCED, BROKEN -> AttachmentState.BROKEN;
      case CONNECTING, STREAMING, STOPPED ->
          timeline.readableFromLsn() == 0 ? AttachmentState.CATCHING_UP : AttachmentState.ACTIVE;
    };
  }

  /** The primary's WAL goes on while no connection reports it: then how far is not known. */
  private @Nullable Long lagBytes() {
    if (receiver == null) {
      return null;
    }
    if (receiver.isConnected()) {
      return receiver.lagBytes();
    }
    long asked = retention == null ? 0 : retention.walEndLsn();
    return asked == 0 ? null : Math.max(0, asked - receiver.streamedLsn());
  }

  private @Nullable StoreFailure failingStore() {
    StoreFailure own = timeline == null ? null : timeline.storeFailure();
    return own == null ? storeFailure : own;
  }

  TimelineReport report() {
    Timeline imported = timeline == null || timeline.isEmpty() ? null : timeline;
    ClusterIdentity identity = imported == null ? null : imported.identity();
    return new TimelineReport(
        id,
        uid,
        timeline == null ? 0 : timeline.generation(),
        state(),
        problem(),
        identity == null ? 0 : identity.systemIdentifier(),
        identity == null ? 0 : identity.major().number(),
        imported == null ? 0 : imported.readableFromLsn(),
        imported == null ? 0 : imported.receivedLsn(),
        imported == null ? 0 : imported.publishedLsn(),
        receiver == null ? 0 : receiver.sourceLsn(),
        lagBytes(),
        receiver == null ? null : Double.valueOf(receiver.lagSeconds()),
        copiedBytes,
        imported == null ? 0 : imported.layerCount(),
        imported == null ? 0 : imported.layerBytes(),
        imported == null ? 0 : imported.unpublishedBytes(),
        timeline == null ? 0 : timeline.storageErrors(),
        failingStore(),
        retention == null ? NO_COST : retention.cost(),
        failure() == null ? current().room() : null);
  }
}
