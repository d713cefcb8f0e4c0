package dev.varve.operator.plan;

import java.util.ArrayList;
import java.util.List;

/**
 * What a timeline makes its primary bear, as a pageserver says it.
 *
 * @param primaryKeepsAtMostBytes {@code max_slot_wal_keep_size}; -1: any amount, 0: not known
 * @param namedSynchronous whether {@code synchronous_standby_names} match the pageserver
 */
public record SourceCost(
    long retainedWalBytes,
    double retainedWalSeconds,
    long primaryKeepsAtMostBytes,
    boolean namedSynchronous) {
  /** What the user should know of it though nothing is wrong; empty for nothing. */
  String advice(boolean synchronous) {
    List<String> advice = new ArrayList<>();
    if (primaryKeepsAtMostBytes < 0) {
      advice.add(
          "its max_slot_wal_keep_size is -1, so that its disk fills up when the pageservers are away"
              + " for long: set a bound");
    }
    if (namedSynchronous) {
      advice.add(
          synchronous
              ? "its commits wait until they are published, as synchronous says"
              : "its synchronous_standby_names match the pageservers, which no commit waits for"
                  + " since synchronous is not set");
    }
    return String.join("; ", advice);
  }
}
