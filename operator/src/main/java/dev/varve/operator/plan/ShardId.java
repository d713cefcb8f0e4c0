package dev.varve.operator.plan;

/**
 * One shard of a timeline as pageservers name it.
 *
 * @param id of the timeline, whatever its name is
 * @param index from 0
 * @param shard such as {@code 0-of-2-by-2048}; empty: the whole timeline
 */
public record ShardId(String tenantId, String timeline, String id, int index, String shard) {
  /** {@code tenant/timeline@id} or {@code tenant/timeline/shard@id}. */
  @Override
  public String toString() {
    return text(tenantId, timeline, id, shard);
  }

  /** The inverse of {@link #toString}, but for the index, which is 0. */
  public static ShardId parse(String text) {
    int at = text.indexOf('@');
    String[] parts = text.substring(0, at).split("/", -1);
    return new ShardId(
        parts[0], parts[1], text.substring(at + 1), 0, parts.length == 2 ? "" : parts[2]);
  }

  /** Whether it is another timeline of this name, or this timeline under another name. */
  public boolean isMistakenFor(ShardId wanted) {
    return tenantId.equals(wanted.tenantId)
        && timeline.equals(wanted.timeline) != id.equals(wanted.id);
  }

  /** As {@link #toString} of a shard. */
  public static String text(String tenantId, String timeline, String id, String shard) {
    return tenantId + "/" + timeline + (shard.isEmpty() ? "" : "/" + shard) + "@" + id;
  }
}
