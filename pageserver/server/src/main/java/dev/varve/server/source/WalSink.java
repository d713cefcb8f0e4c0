package dev.varve.server.source;

import java.util.SortedMap;

/**
 * Who takes the WAL of one timeline. {@link #receive} is called by the receiver's thread only; the
 * positions may be read by any. Failures are {@link dev.varve.engine.PageserverException}s.
 */
public interface WalSink {
  /** WAL is wanted from here: a record boundary. Asked anew before each stream. */
  long resumeLsn();

  /**
   * Takes WAL that starts at {@code lsn}, where the last call ended. Blocks while the timeline is
   * too far ahead of publishing.
   */
  void receive(long lsn, byte[] wal, int offset, int length);

  /** The end of the newest record that can be read. */
  long receivedLsn();

  /** What the object store holds for good: what the primary may forget. */
  long publishedLsn();

  /** Takes what the primary's settings are now. Any thread. */
  void settings(SortedMap<String, String> settings);

  /**
   * Asks the object store whether this pageserver still has the timeline.
   *
   * @throws dev.varve.engine.PageserverException.Fenced when another one has taken it over
   * @throws dev.varve.engine.PageserverException.Unavailable when the object store does not answer
   */
  void requireOwner();

  /**
   * The primary waits for its last record to be published, as it does before it shuts down: publish
   * what there is without waiting for it to grow. Does not block.
   */
  void publishSoon();
}
