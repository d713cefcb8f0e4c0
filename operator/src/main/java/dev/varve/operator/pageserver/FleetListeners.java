package dev.varve.operator.pageserver;

import dev.varve.operator.pageserver.Fleet.Listener;
import dev.varve.operator.plan.Report;
import dev.varve.operator.plan.ShardId;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CopyOnWriteArrayList;
import org.jspecify.annotations.Nullable;

/** The listeners of a {@link Fleet}, and which changes they are notified of. Any thread. */
final class FleetListeners {
  private final List<Listener> listeners = new CopyOnWriteArrayList<>();

  void add(Listener listener) {
    listeners.add(listener);
  }

  void podsChanged() {
    listeners.forEach(Listener::podsChanged);
  }

  /**
   * @param shardId as {@link ShardId#toString} has it
   */
  void timelineChanged(String shardId) {
    ShardId changed = ShardId.parse(shardId);
    listeners.forEach(listener -> listener.timelineChanged(changed.tenantId(), changed.timeline()));
  }

  /**
   * Notifies of what one pod reports otherwise than before, measures excepted.
   *
   * @param before null: the pod did not answer, as for {@code after}
   */
  void reportsChanged(@Nullable Map<String, Report> before, @Nullable Map<String, Report> after) {
    Map<String, Report> old = before == null ? Map.of() : before;
    Map<String, Report> fresh = after == null ? Map.of() : after;
    old.forEach((id, report) -> {
      if (!isAlike(report, fresh.get(id))) {
        timelineChanged(id);
      }
    });
    for (String id : fresh.keySet()) {
      if (!old.containsKey(id)) {
        timelineChanged(id);
      }
    }
    fresh.entrySet().stream()
        .filter(entry -> areTokensNew(old.get(entry.getKey()), entry.getValue()))
        .map(entry -> entry.getKey().substring(0, entry.getKey().indexOf('/')))
        .distinct()
        .forEach(tenantId -> listeners.forEach(listener -> listener.tokensChanged(tenantId)));
    if ((before == null) != (after == null)) {
      podsChanged();
    }
  }

  private static boolean areTokensNew(@Nullable Report before, Report after) {
    return before == null || !before.tokens().equals(after.tokens());
  }

  private static boolean isAlike(Report before, @Nullable Report after) {
    return after != null
        && before.generation() == after.generation()
        && before.state() == after.state()
        && before.problem().equals(after.problem())
        && Objects.equals(before.store(), after.store())
        && before.isReadable() == after.isReadable();
  }
}
