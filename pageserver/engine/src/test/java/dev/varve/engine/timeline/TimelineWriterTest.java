package dev.varve.engine.timeline;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import dev.varve.engine.bytes.ByteWriter;
import dev.varve.engine.layer.BlockCache;
import dev.varve.engine.layer.LayerDescriptor;
import dev.varve.engine.layer.ValueKind;
import dev.varve.engine.postgres.PostgresMajor;
import dev.varve.engine.redo.RedoContext;
import dev.varve.engine.store.MemoryObjectStore;
import dev.varve.engine.wal.WalBuilder;
import dev.varve.engine.wal.WalDecoder;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The writer and those that freeze its open layer or make room for it. */
final class TimelineWriterTest {
  private static final int SEGMENT_SIZE = 16 << 20;
  private static final int CLOG = 3;
  private static final int DATABASE = 4;
  private static final EngineOptions ONE_RECORD_A_LAYER =
      new EngineOptions(
          1, Duration.ofHours(1), 1, 1 << 20, 1 << 20, 1 << 20, 1 << 20, 8, 8, 1 << 20);

  @TempDir Path directory;

  @Test
  @Timeout(60)
  void aLayerFrozenWhileTheWriterWaitsIsNotFrozenAgain() throws Exception {
    WalBuilder wal = new WalBuilder(PostgresMajor.V17, SEGMENT_SIZE, SEGMENT_SIZE);
    for (int page = 0; page < 2; page++) {
      ByteWriter zeroed = new ByteWriter();
      zeroed.i64(page);
      wal.append(WalBuilder.record(CLOG, 0, 0, WalBuilder.main(zeroed.toByteArray())));
    }
    long endLsn = wal.lsn();
    ClusterIdentity identity =
        new ClusterIdentity(WalBuilder.SYSTEM_IDENTIFIER, PostgresMajor.V17, SEGMENT_SIZE);
    try (TimelineLayers layers = attach()) {
      layers.commitImport(identity, SEGMENT_SIZE, List.of());
      OpenLayer open = new OpenLayer(SEGMENT_SIZE, 0);
      layers.open(open);
      RedoContext context = new RedoContext(PostgresMajor.V17, false);
      PageReader reader = new PageReader(layers::map, () -> context);
      TimelineWriter writer =
          new TimelineWriter(
              layers,
              ONE_RECORD_A_LAYER,
              () -> 0,
              identity,
              new WalIngest(
                  Shard.WHOLE,
                  new RelationDictionary(),
                  new DatabaseCopy(layers, reader, Shard.WHOLE, ONE_RECORD_A_LAYER),
                  context,
                  open),
              open,
              SEGMENT_SIZE,
              SEGMENT_SIZE,
              WalDecoder.UNKNOWN_PREV,
              0);
      byte[] bytes = wal.wal();
      Thread receiver =
          new Thread(() -> writer.receive(SEGMENT_SIZE, bytes, 0, bytes.length), "receiver");
      receiver.start();
      while (writer.receivedLsn() != endLsn) {
        Thread.onSpinWait();
      }
      // The second record's layer is as full as the first one's, which is yet to be written. Taking
      // the lock, though nothing is to be done, proves that the receiver waits.
      writer.freezeIfOld(true);
      writeOldest(layers);
      writer.freezeIfOld(true);
      writeOldest(layers);
      writer.signalRoom();
      receiver.join();
      assertEquals(List.of(), layers.map().frozen());
      while (layers.publish()) {
        assertFalse(layers.manifest().isEmpty());
      }
      assertEquals(endLsn, layers.manifest().publishedLsn());
    }
  }

  /** What was in the same place before must not be found in memory, before the copy's files. */
  @Test
  @Timeout(60)
  void aDatabaseIsCopiedWhenEverythingBeforeIsInFiles() throws Exception {
    WalBuilder wal = new WalBuilder(PostgresMajor.V17, SEGMENT_SIZE, SEGMENT_SIZE);
    ByteWriter zeroed = new ByteWriter();
    zeroed.i64(0);
    wal.append(WalBuilder.record(CLOG, 0, 0, WalBuilder.main(zeroed.toByteArray())));
    ByteWriter copied = new ByteWriter();
    for (int oid : new int[] {7, 1663, 5, 1663}) {
      copied.i32(oid);
    }
    wal.append(WalBuilder.record(DATABASE, 0, 0, WalBuilder.main(copied.toByteArray())));
    ClusterIdentity identity =
        new ClusterIdentity(WalBuilder.SYSTEM_IDENTIFIER, PostgresMajor.V17, SEGMENT_SIZE);
    try (TimelineLayers layers = attach()) {
      layers.commitImport(identity, SEGMENT_SIZE, List.of());
      OpenLayer open = new OpenLayer(SEGMENT_SIZE, 0);
      layers.open(open);
      RedoContext context = new RedoContext(PostgresMajor.V17, false);
      List<Integer> inMemory = new ArrayList<>();
      PageReader reader =
          new PageReader(
              () -> {
                LayerMap map = layers.map();
                inMemory.add(map.frozen().size() + map.open().recordCount());
                return map;
              },
              () -> context);
      RelationDictionary dictionary = new RelationDictionary();
      WalIngest ingest =
          new WalIngest(
              Shard.WHOLE,
              dictionary,
              new DatabaseCopy(layers, reader, Shard.WHOLE, ONE_RECORD_A_LAYER),
              context,
              open);
      int source = ingest.state().intern(1663, 5, 16384, 0);
      ingest.state().setSize(source, 1);
      open.put(KeySpace.key(source, 0), SEGMENT_SIZE + 8, ValueKind.ZERO_PAGE, new byte[0], 0, 0);
      TimelineWriter writer =
          new TimelineWriter(
              layers,
              ONE_RECORD_A_LAYER,
              () -> 0,
              identity,
              ingest,
              open,
              SEGMENT_SIZE,
              SEGMENT_SIZE,
              WalDecoder.UNKNOWN_PREV,
              0);
      LayerFlusher flusher =
          new LayerFlusher("t/m", layers, reader, dictionary, writer, ONE_RECORD_A_LAYER);
      flusher.start();
      writer.receive(SEGMENT_SIZE, wal.wal(), 0, wal.wal().length);
      flusher.close();
      assertEquals(List.of(0), inMemory);
      assertEquals(
          List.of(wal.lsn()),
          layers.map().files().stream()
              .map(LayerFile::descriptor)
              .filter(LayerDescriptor::isImage)
              .map(LayerDescriptor::endLsn)
              .toList());
    }
  }

  private TimelineLayers attach() {
    return TimelineLayers.attach(
        new MemoryObjectStore(),
        "tenants/t/timelines/m/",
        directory,
        new LocalDisk(1 << 30),
        new BlockCache(1 << 20),
        0,
        ONE_RECORD_A_LAYER);
  }

  private static void writeOldest(TimelineLayers layers) throws IOException {
    OpenLayer oldest = layers.map().frozen().getLast();
    try (DeltaRun out =
        new DeltaRun(layers, 0, oldest.startLsn(), oldest.endLsn(), Long.MAX_VALUE)) {
      out.addBoundary(oldest.boundary(0));
      layers.fileWritten(oldest, out.finish().getFirst());
    }
  }
}
