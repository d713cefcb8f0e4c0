package dev.varve.engine.postgres;

/**
 * What a cluster is and never stops being.
 *
 * @param systemIdentifier PostgreSQL's, as {@code IDENTIFY_SYSTEM} tells it; unsigned
 * @param walSegmentBytes a power of two from 1 MiB to 1 GiB
 */
public record ClusterIdentity(long systemIdentifier, PostgresMajor major, int walSegmentBytes) {
  public ClusterIdentity {
    if (Integer.bitCount(walSegmentBytes) != 1
        || walSegmentBytes < 1 << 20
        || walSegmentBytes > 1 << 30) {
      throw new IllegalArgumentException("WAL segments of " + walSegmentBytes + " bytes");
    }
  }
}
