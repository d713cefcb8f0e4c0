package dev.varve.operator.plan;

import dev.varve.crd.Condition;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The conditions of one resource as they come to be, each with the time its status changed. */
public final class Conditions {
  private final @Nullable List<Condition> previous;
  private final @Nullable Long generation;
  private final Instant now;
  private final List<Condition> conditions = new ArrayList<>();

  Conditions(@Nullable List<Condition> previous, @Nullable Long generation, Instant now) {
    this.previous = previous;
    this.generation = generation;
    this.now = now;
  }

  /** The reason is one that the condition may have. */
  void put(Reason.Kind kind, boolean holds, Reason reason, String message) {
    put(kind, holds ? "True" : "False", reason, message);
  }

  /** What nobody can tell now. */
  void unknown(Reason.Kind kind, Reason reason, String message) {
    put(kind, "Unknown", reason, message);
  }

  private void put(Reason.Kind kind, String status, Reason reason, String message) {
    if (!reason.isOf(kind)) {
      throw new IllegalArgumentException(reason + " is no reason of " + kind);
    }
    String type = kind.type();
    Condition before = find(previous, type);
    String since =
        before != null && before.status().equals(status) ? before.lastTransitionTime() : text(now);
    conditions.add(new Condition(type, status, reason.name(), message, since, generation));
  }

  List<Condition> list() {
    return List.copyOf(conditions);
  }

  static @Nullable Condition find(@Nullable List<Condition> conditions, String type) {
    if (conditions == null) {
      return null;
    }
    for (Condition condition : conditions) {
      if (condition.type().equals(type)) {
        return condition;
      }
    }
    return null;
  }

  /** RFC 3339 in UTC, whole seconds. */
  public static String text(Instant time) {
    return time.truncatedTo(ChronoUnit.SECONDS).toString();
  }
}
