package dev.varve.operator.plan;

import dev.varve.crd.ShardAttachment;
import dev.varve.operator.plan.TimelinePlan.Attach;
import dev.varve.operator.plan.TimelinePlan.HandOver;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What is to be done about one shard of a timeline, and how it is.
 *
 * @param handOver first of all; the attachment comes with the next plan
 * @param attachment as the status is to tell of it; null: there was none yet
 * @param endpoint the pod that the Service leads to; null: none
 * @param detachFrom uids of pods that hold it and should not
 * @param said by the pageserver that it is attached to; null: nothing
 * @param measured the report that measures are taken from; null: none
 * @param again when to look again at the latest; null: when something changes
 */
record ShardPlan(
    @Nullable HandOver handOver,
    @Nullable Attach attach,
    @Nullable ShardAttachment attachment,
    @Nullable PageserverPod endpoint,
    List<String> detachFrom,
    @Nullable Report said,
    @Nullable Report measured,
    Verdict verdict,
    @Nullable Duration again) {
  /**
   * What the condition {@code Ready} would say if this were the only shard.
   *
   * @param isWarning whether an event tells of it; what is ready nevertheless was refused a move
   */
  record Verdict(boolean isReady, boolean isWarning, Reason reason, String message) {
    static Verdict ready(Reason reason, String message) {
      return new Verdict(true, false, reason, message);
    }

    static Verdict not(Reason reason, String message) {
      return new Verdict(false, false, reason, message);
    }

    static Verdict warning(Reason reason, String message) {
      return new Verdict(false, true, reason, message);
    }
  }
}
