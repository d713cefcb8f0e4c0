package dev.varve.compute.settings;

import java.util.EnumSet;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * Something that a copy does not do unless its user allows it, for it would act on what belongs to
 * its original. docs/operations/copy.md says what each one means.
 */
public enum Allowance {
  /** Subscriptions keep their publishers and slots; PostgreSQL starts workers for them. */
  LOGICAL_REPLICATION,

  /** WAL may be archived. */
  ARCHIVING,

  /** The compute may follow another server, and run the commands of a recovery. */
  STANDBY,

  /** The libraries that the original preloads are preloaded. */
  PRELOADED_LIBRARIES;

  /** Settings that have these values while it is not allowed. */
  Map<String, String> held() {
    return switch (this) {
      case LOGICAL_REPLICATION -> Map.of("max_logical_replication_workers", "0");
      case ARCHIVING -> Map.of("archive_mode", "off", "archive_command", "", "archive_library", "");
      case STANDBY ->
          Map.of(
              "primary_conninfo", "",
              "primary_slot_name", "",
              "restore_command", "",
              "archive_cleanup_command", "",
              "recovery_end_command", "",
              "sync_replication_slots", "off");
      case PRELOADED_LIBRARIES -> Map.of();
    };
  }

  /** As users write it. */
  public String word() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  /**
   * A list with commas between.
   *
   * @throws IllegalArgumentException naming the word that is none, and those that there are
   */
  public static Set<Allowance> parse(String list) {
    Set<Allowance> allowed = EnumSet.noneOf(Allowance.class);
    for (String item : list.split(",", -1)) {
      String word = item.strip();
      if (!word.isEmpty()) {
        allowed.add(of(word));
      }
    }
    return allowed;
  }

  private static Allowance of(String word) {
    StringBuilder known = new StringBuilder();
    for (Allowance allowance : values()) {
      if (allowance.word().equals(word)) {
        return allowance;
      }
      known.append(known.isEmpty() ? "" : ", ").append(allowance.word());
    }
    throw new IllegalArgumentException("'" + word + "' cannot be allowed; it may be " + known);
  }
}
