package dev.varve.server.attachment;

import dev.varve.engine.timeline.Timeline;
import dev.varve.server.source.WalSink;
import java.util.SortedMap;

/** A timeline as a {@link WalSink}. */
record TimelineWalSink(Timeline timeline) implements WalSink {
  @Override
  public long resumeLsn() {
    return timeline.resumeLsn();
  }

  @Override
  public void receive(long lsn, byte[] wal, int offset, int length) {
    timeline.receive(lsn, wal, offset, length);
  }

  @Override
  public long receivedLsn() {
    return timeline.receivedLsn();
  }

  @Override
  public long publishedLsn() {
    return timeline.publishedLsn();
  }

  @Override
  public void settings(SortedMap<String, String> settings) {
    timeline.setSettings(settings);
  }

  @Override
  public void requireOwner() {
    timeline.requireOwner();
  }

  @Override
  public void publishSoon() {
    timeline.flush();
  }
}
