package dev.varve.operator.plan;

import dev.varve.crd.Timeline;
import org.jspecify.annotations.Nullable;

/** What is said of a slot that is to be dropped: where it is, its name, and how it goes. */
public final class SlotNotice {
  private SlotNotice() {}

  /**
   * Why a deletion waits.
   *
   * @param access null: how the primary is reached is not known
   */
  public static String waiting(Timeline timeline, @Nullable SourceAccess access, String failure) {
    return "slot "
        + slot(timeline, access)
        + " at "
        + host(timeline, access)
        + " is to be dropped, but "
        + failure;
  }

  /**
   * A source was given up.
   *
   * @param shards each with a slot of its own, but for one alone
   * @param everReceived whether the primary ever answered
   */
  public static Notice left(
      Timeline timeline, @Nullable SourceAccess access, int shards, boolean everReceived) {
    String slot = slot(timeline, access);
    String host = host(timeline, access);
    String drop =
        shards == 1
            ? "SELECT pg_drop_replication_slot('" + slot + "')"
            : "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name ~ '^"
                + slot
                + "_[0-9]+$'";
    return everReceived
        ? Notice.warning(
            "SlotLeft",
            host
                + " was given up, its slot is left: drop it there with "
                + drop
                + ", or it keeps WAL until the disk is full")
        : Notice.normal(
            "SlotLeft",
            "nothing was ever received from "
                + host
                + ": if there is a slot "
                + slot
                + ", drop it there with "
                + drop);
  }

  private static String slot(Timeline timeline, @Nullable SourceAccess access) {
    String slot = access != null ? access.slot() : SlotName.of(timeline);
    return slot == null ? "(of a name that is invalid)" : slot;
  }

  private static String host(Timeline timeline, @Nullable SourceAccess access) {
    String address = access != null ? access.address() : SourceAccess.address(timeline);
    return address.isEmpty() ? "a primary whose address is invalid" : address;
  }
}
