package dev.varve.engine.ingest;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.engine.EngineOptions;
import dev.varve.engine.PageserverException;
import dev.varve.engine.bytes.ByteWriter;
import dev.varve.engine.catalog.ClusterSettings;
import dev.varve.engine.catalog.ClusterView;
import dev.varve.engine.catalog.RelationDictionary;
import dev.varve.engine.catalog.Shard;
import dev.varve.engine.check.CheckedStore;
import dev.varve.engine.layer.LayerDescriptor;
import dev.varve.engine.layer.TestOrigin;
import dev.varve.engine.layer.ValueKind;
import dev.varve.engine.postgres.ClusterIdentity;
import dev.varve.engine.postgres.PostgresMajor;
import dev.varve.engine.read.PageReader;
import dev.varve.engine.redo.RedoContext;
import dev.varve.engine.store.ForwardingObjectStore;
import dev.varve.engine.store.MemoryObjectStore;
import dev.varve.engine.store.ObjectEntry;
import dev.varve.engine.store.ObjectStore;
import dev.varve.engine.tree.DeltaRun;
import dev.varve.engine.tree.KeySpace;
import dev.varve.engine.tree.LayerFile;
import dev.varve.engine.tree.LayerMap;
import dev.varve.engine.tree.LayerResources;
import dev.varve.engine.tree.OpenLayer;
import dev.varve.engine.tree.TimelineLayers;
import dev.varve.engine.wal.WalBuilder;
import dev.varve.engine.wal.WalDecoder;
import dev.varve.engine.work.StepScheduler;
import dev.varve.engine.work.TimelineWork;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The writer and those that freeze its open layer or make room for it. */
final class TimelineWriterTest {
  private static final int SEGMENT_SIZE = 16 << 20;
  private static final int CLOG = 3;
  private static final int DATABASE = 4;
  private static final long MEMORY = 1 << 20;
  private static final ClusterIdentity IDENTITY =
      new ClusterIdentity(WalBuilder.SYSTEM_IDENTIFIER, PostgresMajor.V17, SEGMENT_SIZE);
  private static final EngineOptions ONE_RECORD_A_LAYER =
      new EngineOptions(
          1, Duration.ofHours(1), 1, MEMORY, 1 << 20, 1 << 20, 1 << 20, 1 << 20, 8, 8, 1 << 20);

  private static final String PREFIX = "tenants/t/timelines/m/";

  @TempDir Path directory;
  private final MemoryObjectStore memory = new MemoryObjectStore();

  @AfterEach
  void nothingIsLeftOver() throws IOException {
    CheckedStore.requireCleanBelow(memory, PREFIX);
  }

  private final LayerResources shared = LayerResources.of(ONE_RECORD_A_LAYER);
  private final RelationDictionary dictionary = new RelationDictionary();
  private final StepScheduler scheduler = StepScheduler.started();

  @AfterEach
  void stop() {
    scheduler.close();
  }

  private TimelineWork work(TimelineLayers layers, PageReader reader, TimelineWriter writer) {
    return new TimelineWork(
        "t/m", layers, reader, dictionary, writer, ONE_RECORD_A_LAYER, scheduler, System::nanoTime);
  }

  @Test
  @Timeout(60)
  void aLayerFrozenWhileTheWriterWaitsIsNotFrozenAgain() throws Exception {
    WalBuilder wal = zeroedPages(2);
    try (TimelineLayers layers = attach()) {
      TimelineWriter writer = writer(layers);
      Thread receiver = receiver(writer, wal);
      while (writer.receivedLsn() != wal.lsn()) {
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
      assertEquals(wal.lsn(), layers.manifest().publishedLsn());
    }
  }

  @Test
  @Timeout(60)
  void memoryThatOthersHaveIsWaitedFor() throws Exception {
    WalBuilder wal = zeroedPages(2);
    try (TimelineLayers layers = attach()) {
      TimelineWriter writer = writer(layers);
      layers.memory().add(MEMORY);
      Thread receiver = receiver(writer, wal);
      long first = wal.written().getFirst().nextLsn();
      while (writer.receivedLsn() != first) {
        Thread.onSpinWait();
      }
      writer.freezeIfOld(true);
      writeOldest(layers);
      assertEquals(MEMORY, layers.memory().bytes(), "what is in a file takes none");
      // Room for another frozen layer is there: what keeps it from going on is memory alone.
      receiver.join(300);
      assertEquals(first, writer.receivedLsn());
      layers.memory().release(MEMORY);
      receiver.join();
      assertEquals(wal.lsn(), writer.receivedLsn());
      assertTrue(layers.memory().bytes() > 0);
    }
    assertEquals(0, shared.memory().bytes());
  }

  @Test
  void whatIsFlushedIsBehindALayerThatWaitsForItsFile() throws Exception {
    WalBuilder wal = zeroedPages(2);
    byte[] bytes = wal.wal();
    int first = (int) (wal.written().getFirst().nextLsn() - SEGMENT_SIZE);
    try (TimelineLayers layers = attach()) {
      OpenLayer open = open(layers);
      PageReader reader = new PageReader(layers::map, this::context);
      TimelineWriter writer =
          writer(layers, ingest(layers, reader, open), open, EngineOptions.defaults());
      writer.receive(SEGMENT_SIZE, bytes, 0, first);
      writer.freezeIfOld(true);
      writer.receive(SEGMENT_SIZE + first, bytes, first, bytes.length - first);
      assertEquals(1, layers.map().frozen().size());
      TimelineWork work = work(layers, reader, writer);
      work.flushNow();
      work.start();
      assertTrue(layers.awaitPublished(wal.lsn(), Duration.ofSeconds(30), () -> false));
      work.close();
    }
  }

  /** What was in the same place before must not be found in memory, before the copy's files. */
  @Test
  @Timeout(60)
  void aDatabaseIsCopiedWhenEverythingBeforeIsInFiles() throws Exception {
    WalBuilder wal = zeroedPages(1);
    ByteWriter copied = new ByteWriter();
    for (int oid : new int[] {7, 1663, 5, 1663}) {
      copied.i32(oid);
    }
    wal.append(WalBuilder.record(DATABASE, 0, 0, WalBuilder.main(copied.toByteArray())));
    // Unchecked: what the test puts into the state by itself is of no record, and stamped so.
    try (TimelineLayers layers = attach(new MemoryObjectStore())) {
      OpenLayer open = open(layers);
      List<Integer> inMemory = new ArrayList<>();
      PageReader reader =
          new PageReader(
              () -> {
                LayerMap map = layers.map();
                inMemory.add(map.frozen().size() + map.open().recordCount());
                return map;
              },
              this::context);
      WalIngest ingest = ingest(layers, reader, open);
      int source = ingest.state().intern(1663, 5, 16384, 0);
      ingest.state().setSize(source, 1);
      open.put(KeySpace.key(source, 0), SEGMENT_SIZE + 8, ValueKind.ZERO_PAGE, new byte[0], 0, 0);
      TimelineWriter writer = writer(layers, ingest, open);
      TimelineWork work = work(layers, reader, writer);
      work.start();
      writer.receive(SEGMENT_SIZE, wal.wal(), 0, wal.wal().length);
      work.close();
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

  /** They hold from where the ones before were seen last, whatever comes after them. */
  @Test
  @Timeout(60)
  void settingsHoldFromWhereThePrimaryWasAskedBefore() throws Exception {
    WalBuilder wal = zeroedPages(2);
    byte[] bytes = wal.wal();
    long first = wal.written().getFirst().nextLsn();
    int firstLength = (int) (first - SEGMENT_SIZE);
    try (TimelineLayers layers = attach()) {
      TimelineWriter writer = writer(layers);
      writer.setSettings(timeZone("a"));
      writer.receive(SEGMENT_SIZE, bytes, 0, firstLength);
      writer.setSettings(timeZone("b"));
      Thread receiver =
          new Thread(() -> writer.receive(first, bytes, firstLength, bytes.length - firstLength));
      receiver.start();
      while (writer.receivedLsn() != wal.lsn()) {
        Thread.onSpinWait();
      }
      writer.setSettings(timeZone("c"));
      PageReader reader = new PageReader(layers::map, this::context);
      Map<Long, String> expected =
          Map.of(
              (long) SEGMENT_SIZE,
              "a",
              SEGMENT_SIZE + 1L,
              "b",
              first - 8,
              "b",
              first,
              "b",
              first + 1,
              "c",
              wal.lsn(),
              "c");
      expected.forEach((lsn, zone) ->
          assertEquals(
              timeZone(zone),
              new ClusterView(reader, dictionary, lsn).settings().values(),
              Long.toHexString(lsn)));
      assertEquals(
          ClusterSettings.NONE, new ClusterView(reader, dictionary, SEGMENT_SIZE - 8).settings());
      writeOldest(layers);
      writer.signalRoom();
      receiver.join();
    }
  }

  @Test
  @Timeout(60)
  void whoWaitsForAnLsnIsWokenWhenItComesOrNeverWill() throws Exception {
    WalBuilder wal = zeroedPages(1);
    try (TimelineLayers layers = attach()) {
      TimelineWriter writer = writer(layers);
      assertFalse(writer.awaitReceived(wal.lsn(), Duration.ZERO));
      List<Boolean> answers = Collections.synchronizedList(new ArrayList<>());
      List<Thread> waiters = new ArrayList<>();
      for (long lsn : new long[] {wal.lsn(), wal.lsn(), wal.lsn() + 8}) {
        waiters.add(
            Thread.ofVirtual()
                .start(() -> {
                  try {
                    answers.add(writer.awaitReceived(lsn, Duration.ofHours(1)));
                  } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                  }
                }));
      }
      Thread receiver = receiver(writer, wal);
      waiters.get(0).join();
      waiters.get(1).join();
      assertEquals(List.of(true, true), answers);
      writer.fail(new PageserverException.NotHere("handed over"));
      waiters.get(2).join();
      assertEquals(List.of(true, true, false), answers);
      receiver.join();
    }
  }

  /** A primary's slot waits for nothing but the files and the manifest that let go of its WAL. */
  @Test
  @Timeout(60)
  void whatIsPublishedWaitsForNoMergeNoRemovalAndNoListing() throws Exception {
    WalBuilder wal = zeroedPages(30);
    long firstEnd = wal.written().getFirst().nextLsn();
    CountDownLatch removals = new CountDownLatch(1);
    CountDownLatch uploads = new CountDownLatch(1);
    CountDownLatch merging = new CountDownLatch(1);
    AtomicBoolean attached = new AtomicBoolean();
    ObjectStore store =
        new ForwardingObjectStore(memory) {
          private static void hang(CountDownLatch end) throws IOException {
            try {
              end.await();
            } catch (InterruptedException e) {
              throw new IOException(e);
            }
          }

          @Override
          public void putFile(String name, Path file) throws IOException {
            String merged = "-%016x-".formatted(SEGMENT_SIZE);
            if (name.contains(merged) && !name.contains("-%016x-".formatted(firstEnd))) {
              merging.countDown();
              hang(uploads);
            }
            super.putFile(name, file);
          }

          @Override
          public void delete(String name) throws IOException {
            hang(removals);
            super.delete(name);
          }

          @Override
          public List<ObjectEntry> list(String prefix) throws IOException {
            if (attached.get() && prefix.endsWith("layers/")) {
              hang(removals);
            }
            return super.list(prefix);
          }
        };
    try (TimelineLayers layers = attach(store)) {
      attached.set(true);
      TimelineWriter writer = writer(layers);
      TimelineWork work = work(layers, new PageReader(layers::map, this::context), writer);
      work.start();
      byte[] bytes = wal.wal();
      int half = (int) (wal.written().get(15).nextLsn() - SEGMENT_SIZE);
      writer.receive(SEGMENT_SIZE, bytes, 0, half);
      work.publishNow(Duration.ofMinutes(1));
      removals.countDown();
      merging.await();
      writer.receive(SEGMENT_SIZE + half, bytes, half, bytes.length - half);
      work.publishNow(Duration.ofMinutes(1));
      assertEquals(wal.lsn(), layers.manifest().publishedLsn());
      uploads.countDown();
      while (layers.map().files().size() > 20) {
        Thread.onSpinWait();
      }
      work.close();
      assertEquals(wal.lsn(), layers.manifest().publishedLsn());
    }
  }

  private static SortedMap<String, String> timeZone(String value) {
    return new TreeMap<>(Map.of("TimeZone", value));
  }

  private static WalBuilder zeroedPages(int count) {
    WalBuilder wal = new WalBuilder(PostgresMajor.V17, SEGMENT_SIZE, SEGMENT_SIZE);
    for (int page = 0; page < count; page++) {
      ByteWriter zeroed = new ByteWriter();
      zeroed.i64(page);
      wal.append(WalBuilder.record(CLOG, 0, 0, WalBuilder.main(zeroed.toByteArray())));
    }
    return wal;
  }

  private RedoContext context() {
    return new RedoContext(PostgresMajor.V17, false);
  }

  private static OpenLayer open(TimelineLayers layers) {
    OpenLayer open = new OpenLayer(SEGMENT_SIZE, 0, layers.memory());
    layers.open(open);
    return open;
  }

  private WalIngest ingest(TimelineLayers layers, PageReader reader, OpenLayer open) {
    DatabaseCopy databases = new DatabaseCopy(layers, reader, Shard.WHOLE, ONE_RECORD_A_LAYER);
    RecordImages images = new RecordImages(layers, ONE_RECORD_A_LAYER);
    return new WalIngest(Shard.WHOLE, dictionary, databases, images, context(), open);
  }

  private TimelineWriter writer(TimelineLayers layers) {
    OpenLayer open = open(layers);
    PageReader reader = new PageReader(layers::map, this::context);
    return writer(layers, ingest(layers, reader, open), open);
  }

  private static TimelineWriter writer(TimelineLayers layers, WalIngest ingest, OpenLayer open) {
    return writer(layers, ingest, open, ONE_RECORD_A_LAYER);
  }

  private static TimelineWriter writer(
      TimelineLayers layers, WalIngest ingest, OpenLayer open, EngineOptions options) {
    return new TimelineWriter(
        layers,
        options,
        () -> 0,
        IDENTITY,
        ingest,
        open,
        SEGMENT_SIZE,
        SEGMENT_SIZE,
        WalDecoder.UNKNOWN_PREV,
        0,
        ClusterSettings.NONE);
  }

  private static Thread receiver(TimelineWriter writer, WalBuilder wal) {
    byte[] bytes = wal.wal();
    Thread receiver =
        new Thread(() -> writer.receive(SEGMENT_SIZE, bytes, 0, bytes.length), "receiver");
    receiver.start();
    return receiver;
  }

  private TimelineLayers attach() throws IOException {
    return attach(memory);
  }

  private TimelineLayers attach(ObjectStore store) throws IOException {
    TimelineLayers layers =
        TimelineLayers.attach(
            store,
            TestOrigin.TIMELINES,
            TestOrigin.ORIGIN,
            directory,
            shared,
            0,
            ONE_RECORD_A_LAYER,
            System::nanoTime);
    layers.commitImport(IDENTITY, SEGMENT_SIZE, List.of());
    return layers;
  }

  private static void writeOldest(TimelineLayers layers) throws IOException {
    OpenLayer oldest = layers.map().frozen().getLast();
    try (DeltaRun out =
        new DeltaRun(layers, 0, oldest.startLsn(), oldest.endLsn(), Long.MAX_VALUE)) {
      out.addBoundary(oldest.boundary(0));
      layers.fileWritten(oldest, out.finish().getFirst());
      out.keep();
    }
  }
}
