package dev.varve.operator.plan;

import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * How many replication slots and WAL senders a primary has that has none left, as a pageserver's
 * problem says it.
 */
public record SourceRoom(int slots, int senders) {
  private static final Pattern FULL =
      Pattern.compile("max_replication_slots = ([0-9]{1,9}) and max_wal_senders = ([0-9]{1,9})");

  /** Null when the problem is another one. */
  public static @Nullable SourceRoom of(String problem) {
    Matcher matcher = FULL.matcher(problem);
    return matcher.find()
        ? new SourceRoom(Integer.parseInt(matcher.group(1)), Integer.parseInt(matcher.group(2)))
        : null;
  }

  /**
   * The same for every timeline of the primary.
   *
   * @param needed by all of them, of each kind
   */
  String message(String address, int needed) {
    String has = slots == senders ? "" + slots : slots + " slots and " + senders + " senders";
    return needed <= Math.min(slots, senders)
        ? address
            + " needs "
            + needed
            + " slots and WAL senders for its Timelines, has "
            + has
            + ", and others use the rest: drop slots that nobody needs, or set"
            + " max_replication_slots and max_wal_senders higher and restart it"
        : address
            + " needs "
            + needed
            + " slots and WAL senders for its Timelines, has "
            + has
            + ": set max_replication_slots and max_wal_senders to "
            + needed
            + " or more, with what others use on top, and restart it";
  }
}
