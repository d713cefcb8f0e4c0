package dev.varve.operator.plan;

/** How many replication slots and WAL senders a primary has that has none left. */
public record SourceRoom(int slots, int senders) {
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
