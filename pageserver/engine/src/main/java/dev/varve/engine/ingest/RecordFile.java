package dev.varve.engine.ingest;

import dev.varve.engine.tree.TimelineLayers;
import dev.varve.engine.wal.RecordSpool;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.jspecify.annotations.Nullable;

/**
 * A local file for a record that is too long for memory, mapped when it is whole. It is no part of
 * the timeline: what a stop leaves behind is removed with other strays. A failure of the disk is
 * waited out. Writer thread only.
 */
final class RecordFile implements RecordSpool, AutoCloseable {
  private static final String WORK = "keeping a long record";

  private final Path path;
  private final TimelineLayers layers;
  private final RecordHost host;
  private @Nullable FileChannel channel;
  private @Nullable Arena arena;
  private long length;

  /**
   * @param host waits while the disk is failing
   */
  RecordFile(TimelineLayers layers, RecordHost host) {
    this.path = layers.recordFile();
    this.layers = layers;
    this.host = host;
  }

  @Override
  public void begin() {
    close();
    retried(() ->
        channel =
            FileChannel.open(
                path,
                StandardOpenOption.CREATE,
                StandardOpenOption.TRUNCATE_EXISTING,
                StandardOpenOption.READ,
                StandardOpenOption.WRITE));
  }

  @Override
  public void append(byte[] bytes, int offset, int count) {
    ByteBuffer buffer = ByteBuffer.wrap(bytes, offset, count);
    retried(() -> {
      while (buffer.hasRemaining()) {
        length += open().write(buffer, length);
      }
    });
  }

  @Override
  public MemorySegment contents() {
    Arena mapped = Arena.ofShared();
    arena = mapped;
    MemorySegment[] segment = new MemorySegment[1];
    retried(() -> segment[0] = open().map(FileChannel.MapMode.READ_ONLY, 0, length, mapped));
    return segment[0];
  }

  private FileChannel open() {
    FileChannel current = channel;
    if (current == null) {
      throw new IllegalStateException("no record was begun");
    }
    return current;
  }

  /** Something that a full disk may refuse for a while. */
  private interface Work {
    void run() throws IOException;
  }

  private void retried(Work work) {
    while (true) {
      try {
        work.run();
        layers.failures().over(WORK);
        return;
      } catch (IOException e) {
        host.retryLater(WORK, e);
      }
    }
  }

  /** Gives up what there is; may be repeated. */
  @Override
  public void close() {
    if (arena != null) {
      arena.close();
      arena = null;
    }
    if (channel != null) {
      try {
        channel.close();
        Files.deleteIfExists(path);
      } catch (IOException e) {
        layers.failures().failed(WORK, e);
      }
      channel = null;
    }
    length = 0;
  }
}
