package dev.varve.engine.store;

import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.time.temporal.ChronoUnit;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What fails at an object store and since when: from the attempts that {@link RetryingObjectStore}
 * makes, by operation and directory. A request that succeeds at its second attempt is no outage.
 * The begin of one is logged once at WARN for all directories and operations together, by {@link
 * Kind}, and its end at INFO; {@link #of} tells it of one timeline. Any thread; no I/O.
 */
public final class StoreOutages {
  private static final Logger log = LoggerFactory.getLogger(StoreOutages.class);

  /** Attempts in a row, or time without one that succeeded, that make an outage. */
  private static final int ATTEMPTS = 3;

  private static final Duration SILENCE = Duration.ofSeconds(2);

  /** Likewise of one attempt alone: the first connection of a process that starts takes seconds. */
  private static final Duration FIRST_SILENCE = Duration.ofSeconds(5);

  /** What nobody tried again for so long is not known to fail. */
  private static final Duration FORGOTTEN_AFTER = Duration.ofMinutes(2);

  /** What a person can do about it. */
  public enum Kind {
    /** No answer, or one that says that the server is failing. */
    UNREACHABLE("does not answer", "answers again"),
    THROTTLED("asks for fewer requests", "takes requests as they come again"),
    /** Wrong credentials, rights, bucket, region, clock, or not implemented. */
    REFUSED("refuses", "refuses nothing any more");

    private final String verb;
    private final String end;

    Kind(String verb, String end) {
      this.verb = verb;
      this.end = end;
    }

    private StoreFailure.Kind ofFailure() {
      return switch (this) {
        case UNREACHABLE -> StoreFailure.Kind.UNREACHABLE;
        case THROTTLED -> StoreFailure.Kind.THROTTLED;
        case REFUSED -> StoreFailure.Kind.REFUSED;
      };
    }

    static Kind of(IOException e) {
      return switch (e) {
        case StoreRefusedException _ -> REFUSED;
        case StoreThrottledException _ -> THROTTLED;
        default -> UNREACHABLE;
      };
    }
  }

  private record Place(StoreOperation operation, String directory) {}

  private static final class Failure {
    final Instant since;
    Instant last;
    int attempts;
    Kind kind;
    String cause;

    Failure(Instant since, Kind kind, String cause) {
      this.since = since;
      this.last = since;
      this.kind = kind;
      this.cause = cause;
    }

    boolean isOutage() {
      return kind == Kind.REFUSED
          || attempts >= ATTEMPTS
          || Duration.between(since, last).compareTo(attempts > 1 ? SILENCE : FIRST_SILENCE) >= 0;
    }
  }

  private final InstantSource clock;
  private final Map<Place, Failure> failures = new HashMap<>();
  private final Map<Kind, Instant> logged = new EnumMap<>(Kind.class);
  private final Map<Kind, LongAdder> failedAttempts = new EnumMap<>(Kind.class);

  public StoreOutages() {
    this(InstantSource.system());
  }

  StoreOutages(InstantSource clock) {
    this.clock = clock;
    for (Kind kind : Kind.values()) {
      failedAttempts.put(kind, new LongAdder());
    }
  }

  /** How many attempts failed so. */
  public long failedAttempts(Kind kind) {
    LongAdder count = failedAttempts.get(kind);
    return count == null ? 0 : count.sum();
  }

  /** Seconds since the oldest outage that goes on began; 0: there is none. */
  public synchronized double seconds() {
    forget();
    return failures.values().stream()
        .filter(Failure::isOutage)
        .map(f -> Duration.between(f.since, clock.instant()).toMillis() / 1000.0)
        .max(Comparator.naturalOrder())
        .orElse(0.0);
  }

  private static Place place(StoreOperation operation, String name) {
    return new Place(operation, name.substring(0, name.lastIndexOf('/') + 1));
  }

  /** An attempt began at {@code began} and failed. */
  synchronized void failed(StoreOperation operation, String name, Instant began, IOException e) {
    Kind kind = Kind.of(e);
    failedAttempts.computeIfAbsent(kind, _ -> new LongAdder()).increment();
    Failure failure =
        failures.computeIfAbsent(
            place(operation, name), _ -> new Failure(began, kind, FailureText.of(e)));
    failure.attempts++;
    failure.last = clock.instant();
    failure.kind = kind;
    failure.cause = FailureText.of(e);
    if (failure.isOutage() && logged.putIfAbsent(kind, failure.since) == null) {
      log.warn(
          "the object store {} since {}, {} of {}: {}; trying again",
          kind.verb,
          time(failure.since),
          roughly(failure.attempts),
          operation,
          failure.cause);
    }
  }

  /** The store did what it was asked for, or said that the object exists or does not. */
  void succeeded(StoreOperation operation, String name) {
    synchronized (this) {
      if (failures.isEmpty()) {
        return;
      }
      failures.remove(place(operation, name));
      forget();
    }
  }

  private void forget() {
    Instant now = clock.instant();
    failures.values().removeIf(f -> Duration.between(f.last, now).compareTo(FORGOTTEN_AFTER) > 0);
    Set<Kind> lasting = EnumSet.noneOf(Kind.class);
    failures.values().stream().filter(Failure::isOutage).forEach(f -> lasting.add(f.kind));
    for (Kind kind : Kind.values()) {
      Instant since = lasting.contains(kind) ? null : logged.remove(kind);
      if (since != null) {
        log.info(
            "the object store {}; it did not for {} s",
            kind.end,
            Duration.between(since, now).toSeconds());
      }
    }
  }

  /**
   * What fails of objects below {@code prefix}, since the first of it does; null: nothing. The text
   * changes seldom while the same outage goes on.
   */
  public synchronized @Nullable StoreFailure of(String prefix) {
    if (failures.isEmpty()) {
      return null;
    }
    forget();
    List<Map.Entry<Place, Failure>> own =
        failures.entrySet().stream()
            .filter(e -> e.getKey().directory().startsWith(prefix) && e.getValue().isOutage())
            .sorted(Comparator.comparing(e -> e.getValue().since))
            .toList();
    if (own.isEmpty()) {
      return null;
    }
    StringBuilder text = new StringBuilder();
    for (Map.Entry<Place, Failure> entry : own) {
      Failure failure = entry.getValue();
      text.append(text.isEmpty() ? "" : "; ")
          .append("the object store ")
          .append(failure.kind.verb)
          .append(" since ")
          .append(time(failure.since))
          .append(", ")
          .append(roughly(failure.attempts))
          .append(" of ")
          .append(entry.getKey().operation())
          .append(": ")
          .append(failure.cause);
    }
    Failure first = own.getFirst().getValue();
    return new StoreFailure(first.kind.ofFailure(), first.since, text.toString());
  }

  /** Counts that change seldom: whoever watches a status is told of each change. */
  static String roughly(int attempts) {
    int floor = 1;
    while (floor * 10L <= attempts) {
      floor *= 10;
    }
    return switch (attempts) {
      case 1 -> "1 attempt";
      case 10, 100, 1000 -> attempts + " attempts";
      default -> attempts < 10 ? "several attempts" : "more than " + floor + " attempts";
    };
  }

  private static String time(Instant instant) {
    return instant.truncatedTo(ChronoUnit.SECONDS).toString();
  }
}
