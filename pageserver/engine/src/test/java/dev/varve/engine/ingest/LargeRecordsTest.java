package dev.varve.engine.ingest;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
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
import dev.varve.engine.postgres.Page;
import dev.varve.engine.postgres.PostgresMajor;
import dev.varve.engine.read.PageReader;
import dev.varve.engine.redo.RedoContext;
import dev.varve.engine.redo.RedoException;
import dev.varve.engine.redo.Slru;
import dev.varve.engine.store.ForwardingObjectStore;
import dev.varve.engine.store.MemoryObjectStore;
import dev.varve.engine.store.ObjectStore;
import dev.varve.engine.tree.LayerFile;
import dev.varve.engine.tree.LayerMemory;
import dev.varve.engine.tree.LayerResources;
import dev.varve.engine.tree.OpenLayer;
import dev.varve.engine.tree.TimelineLayers;
import dev.varve.engine.wal.WalBuilder;
import dev.varve.engine.wal.WalDecoder;
import dev.varve.engine.work.StepScheduler;
import dev.varve.engine.work.TimelineWork;
import dev.varve.testkit.ExpectedLog;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Records that are longer, or do more, than memory should hold, with a work beside the writer; and
 * what becomes of a timeline one of whose threads meets an {@link Error}.
 */
@Timeout(120)
final class LargeRecordsTest {
  private static final String PREFIX = "tenants/t/timelines/m/";
  private static final int SEGMENT_SIZE = 16 << 20;
  private static final int XACT = 1;
  private static final int PREPARE = 0x10;
  private static final int DATABASE = 4;
  private static final int DROP = 0x20;
  private static final int HAS_INFO = 0x80;
  private static final int HAS_SUBXACTS = 0x2;
  private static final int HAS_RELATIONS = 0x4;
  private static final int HAS_INVALIDATIONS = 0x8;
  private static final int TABLESPACE = 1663;
  private static final int DATABASE_OID = 5;
  private static final ClusterIdentity IDENTITY =
      new ClusterIdentity(WalBuilder.SYSTEM_IDENTIFIER, PostgresMajor.V17, SEGMENT_SIZE);
  private static final RedoContext CONTEXT = new RedoContext(PostgresMajor.V17, false);
  private static final EngineOptions OPTIONS =
      EngineOptions.defaults().withOpenLayer(1 << 20, Duration.ofHours(1));

  @TempDir Path directory;

  private final LayerResources shared = LayerResources.of(OPTIONS);
  private final RelationDictionary dictionary = new RelationDictionary();
  private final WalBuilder wal = new WalBuilder(PostgresMajor.V17, SEGMENT_SIZE, SEGMENT_SIZE);
  private final StepScheduler scheduler = StepScheduler.started();
  private final MemoryObjectStore memory = new MemoryObjectStore();
  private TimelineLayers layers;
  private PageReader reader;
  private WalIngest ingest;
  private TimelineWriter writer;
  private TimelineWork work;

  @BeforeEach
  void open() throws IOException {
    open(memory);
  }

  private void open(ObjectStore store) throws IOException {
    layers =
        TimelineLayers.attach(
            store,
            TestOrigin.TIMELINES,
            TestOrigin.ORIGIN,
            directory,
            shared,
            0,
            OPTIONS,
            System::nanoTime);
    layers.commitImport(IDENTITY, SEGMENT_SIZE, List.of());
    OpenLayer open = new OpenLayer(SEGMENT_SIZE, 0, layers.memory());
    layers.open(open);
    reader = new PageReader(layers::map, () -> CONTEXT);
    DatabaseCopy databases = new DatabaseCopy(layers, reader, Shard.WHOLE, OPTIONS);
    ingest =
        new WalIngest(
            Shard.WHOLE, dictionary, databases, new RecordImages(layers, OPTIONS), CONTEXT, open);
    writer =
        new TimelineWriter(
            layers,
            OPTIONS,
            System::nanoTime,
            IDENTITY,
            ingest,
            open,
            SEGMENT_SIZE,
            SEGMENT_SIZE,
            WalDecoder.UNKNOWN_PREV,
            0,
            ClusterSettings.NONE);
    work =
        new TimelineWork(
            "t/m", layers, reader, dictionary, writer, OPTIONS, scheduler, System::nanoTime);
  }

  private void receive() {
    byte[] bytes = wal.wal();
    int from = (int) (writer.wantedLsn() - SEGMENT_SIZE);
    for (int at = from; at < bytes.length; at += 128 << 10) {
      writer.receive(SEGMENT_SIZE + at, bytes, at, Math.min(128 << 10, bytes.length - at));
    }
  }

  /** Takes in a record: what a test puts into the state by itself is stamped with its end. */
  private void receiveRecord() {
    wal.append(WalBuilder.record(XACT, HAS_INFO, 999, commit(0, new byte[0])));
    receive();
  }

  private void close() {
    writer.close();
    work.close();
    scheduler.close();
    layers.close();
    assertEquals(0, shared.memory().bytes(), "nothing is left of it in memory");
    assertFalse(Files.exists(layers.recordFile()), "nor on disk");
  }

  @AfterEach
  void nothingIsLeftOver() throws IOException {
    CheckedStore.requireCleanBelow(memory, PREFIX);
  }

  private ClusterView view(long lsn) {
    return new ClusterView(reader, dictionary, lsn);
  }

  private static byte[] commit(int xinfo, byte[] parts) {
    ByteWriter main = new ByteWriter(parts.length + 16);
    main.i64(1_000_000);
    main.i32(xinfo);
    main.bytes(parts);
    return WalBuilder.main(main.toByteArray());
  }

  /** 40 MB of subtransactions, and invalidations behind them. */
  @Test
  void tenMillionSubtransactionsCommit() {
    int count = 10_000_000;
    int top = 1000;
    ByteWriter parts = new ByteWriter(44_000_000);
    parts.i32(count);
    for (int i = 1; i <= count; i++) {
      parts.i32(top + i);
    }
    parts.i32(100_000);
    parts.zeros(1_600_000);
    wal.append(
        WalBuilder.record(
            XACT, HAS_INFO, top, commit(HAS_SUBXACTS | HAS_INVALIDATIONS, parts.toByteArray())));
    work.start();
    receive();
    assertEquals(wal.lsn(), writer.receivedLsn());
    assertEquals(top + count + 1, (int) view(wal.lsn()).nextXid());
    byte[] page = new byte[Page.SIZE];
    for (int xid : new int[] {top - 1, top, top + 1, 5_000_000, top + count, top + count + 1}) {
      view(wal.lsn()).slruPage(0, Slru.xactPage(xid), page);
      int entry = Slru.xactEntry(xid);
      assertEquals(
          xid >= top && xid <= top + count ? 1 : 0, page[entry / 4] >> entry % 4 * 2 & 3, "" + xid);
    }
    close();
  }

  @Test
  void manyRelationsAreDroppedAtOnce() {
    int count = 300_000;
    receiveRecord();
    for (int i = 0; i < count; i++) {
      ingest.state().setSize(ingest.state().intern(TABLESPACE, DATABASE_OID, 20_000 + i, 0), 7);
    }
    int other = ingest.state().intern(TABLESPACE, DATABASE_OID, 19_999, 0);
    ingest.state().setSize(other, 1);
    wal.append(WalBuilder.record(XACT, HAS_INFO, 1000, commit(0, new byte[0])));
    ByteWriter parts = new ByteWriter(4_000_000);
    parts.i32(count);
    for (int i = 0; i < count; i++) {
      parts.i32(TABLESPACE);
      parts.i32(DATABASE_OID);
      parts.i32(20_000 + i);
    }
    work.start();
    receive();
    long before = wal.lsn();
    wal.append(WalBuilder.record(XACT, HAS_INFO, 1001, commit(HAS_RELATIONS, parts.toByteArray())));
    receive();
    long lsn = wal.lsn();
    for (int id : new int[] {other - 1, other - count, other - count / 2}) {
      assertEquals(7, view(before).relationSize(id));
      assertEquals(-1, view(lsn).relationSize(id));
    }
    assertEquals(1, view(lsn).relationSize(other));
    assertEquals(1, view(lsn).relations(TABLESPACE, DATABASE_OID).size());
    // In images of the record's end, so that memory had but their ids.
    assertEquals(List.of(lsn), imageLsns());
    // The file takes part in all that follows.
    receiveRecord();
    ingest.state().setSize(other - 1, 3);
    wal.append(WalBuilder.record(XACT, HAS_INFO, 1002, commit(0, new byte[0])));
    receive();
    assertEquals(3, view(wal.lsn()).relationSize(other - 1));
    work.publishNow(Duration.ofMinutes(1));
    assertEquals(wal.lsn(), layers.manifest().publishedLsn());
    close();
  }

  /** Of two directories of the database the first has few relations, and the second has many. */
  @Test
  void aDatabaseOfManyRelationsIsDropped() {
    int count = 100_000;
    int other = 16_384;
    receiveRecord();
    int few = ingest.state().intern(other, DATABASE_OID, 19_999, 0);
    ingest.state().setSize(few, 7);
    for (int i = 0; i < count; i++) {
      ingest.state().setSize(ingest.state().intern(TABLESPACE, DATABASE_OID, 20_000 + i, 0), 7);
    }
    ingest.state().putDatabase(DATABASE_OID, TABLESPACE, null);
    ingest.state().putDatabase(DATABASE_OID, other, null);
    wal.append(WalBuilder.record(XACT, HAS_INFO, 1000, commit(0, new byte[0])));
    work.start();
    receive();
    // The layer that is open then begins before the record.
    wal.append(WalBuilder.record(XACT, HAS_INFO, 1001, commit(0, new byte[0])));
    receive();
    long before = wal.lsn();
    ByteWriter main = new ByteWriter();
    main.i32(DATABASE_OID);
    main.i32(2);
    main.i32(other);
    main.i32(TABLESPACE);
    wal.append(WalBuilder.record(DATABASE, DROP, 0, WalBuilder.main(main.toByteArray())));
    receive();
    long lsn = wal.lsn();
    assertEquals(7, view(before).relationSize(few));
    assertEquals(List.of(), view(lsn).relations(other, DATABASE_OID));
    assertEquals(List.of(), view(lsn).relations(TABLESPACE, DATABASE_OID));
    assertEquals(List.of(), view(lsn).directories());
    assertEquals(List.of(lsn), imageLsns());
    work.publishNow(Duration.ofMinutes(1));
    assertEquals(lsn, layers.manifest().publishedLsn());
    close();
  }

  private List<Long> imageLsns() {
    return layers.map().files().stream()
        .map(LayerFile::descriptor)
        .filter(LayerDescriptor::isImage)
        .map(LayerDescriptor::endLsn)
        .toList();
  }

  @Test
  void aPreparedTransactionTooLargeToKeepStopsTheTimeline() {
    int subxacts = 9_000_000;
    ByteWriter state = new ByteWriter(37_000_000);
    state.i32(0x57F94534);
    state.i32(72 + 8 + 4 * subxacts + 4);
    state.i32(1000);
    state.zeros(28 - 12);
    state.i32(subxacts);
    state.zeros(54 - 32);
    state.u16(2);
    state.zeros(72 - 56);
    state.zeros(8);
    for (int i = 1; i <= subxacts; i++) {
      state.i32(1000 + i);
    }
    wal.append(WalBuilder.record(XACT, PREPARE, 1000, WalBuilder.main(state.toByteArray())));
    work.start();
    PageserverException stopped = assertThrows(PageserverException.class, this::receive);
    String message = String.valueOf(stopped.getMessage());
    for (String part :
        List.of("0/1000028", "Transaction", "36000109 bytes", "33554432", "delete this timeline")) {
      assertTrue(message.contains(part), message);
    }
    assertEquals(stopped, writer.failure());
    close();
  }

  @Test
  void oneRecordsEffectsStayWithinTheMemoryOfLayers() {
    OpenLayer layer = new OpenLayer(SEGMENT_SIZE, 0, new LayerMemory(1));
    byte[] value = new byte[1 << 20];
    RedoException refused =
        assertThrows(
            RedoException.class,
            () -> {
              for (int i = 1; i < 100; i++) {
                layer.put(i, SEGMENT_SIZE + 8, ValueKind.VALUE, value, 0, value.length);
              }
            });
    assertTrue(String.valueOf(refused.getMessage()).contains("layer-memory-size"));
  }

  /** All of a record is taken in or the timeline stops, whatever is thrown in its middle. */
  @Test
  void anErrorInARecordStopsTheTimeline() {
    int source = ingest.state().intern(TABLESPACE, DATABASE_OID, 20_000, 0);
    ingest.state().setSize(source, 1);
    ByteWriter copied = new ByteWriter();
    for (int oid : new int[] {7, TABLESPACE, DATABASE_OID, TABLESPACE}) {
      copied.i32(oid);
    }
    wal.append(WalBuilder.record(DATABASE, 0, 0, WalBuilder.main(copied.toByteArray())));
    reader =
        new PageReader(
            () -> {
              throw new StackOverflowError("injected");
            },
            () -> CONTEXT);
    DatabaseCopy databases = new DatabaseCopy(layers, reader, Shard.WHOLE, OPTIONS);
    OpenLayer open = new OpenLayer(SEGMENT_SIZE, 0, layers.memory());
    layers.open(open);
    WalIngest broken =
        new WalIngest(
            Shard.WHOLE, dictionary, databases, new RecordImages(layers, OPTIONS), CONTEXT, open);
    broken.state().loadSize(source, 1);
    writer =
        new TimelineWriter(
            layers,
            OPTIONS,
            System::nanoTime,
            IDENTITY,
            broken,
            open,
            SEGMENT_SIZE,
            SEGMENT_SIZE,
            WalDecoder.UNKNOWN_PREV,
            0,
            ClusterSettings.NONE);
    PageserverException stopped = assertThrows(PageserverException.class, this::receive);
    assertTrue(String.valueOf(stopped.getMessage()).contains("record at 0/1000028 (Database"));
    assertTrue(String.valueOf(stopped.getMessage()).contains("StackOverflowError"));
    assertEquals(stopped, writer.failure());
    assertEquals(SEGMENT_SIZE, writer.receivedLsn());
    assertEquals(
        stopped,
        assertThrows(
            PageserverException.class,
            () -> writer.receive(writer.wantedLsn(), new byte[8], 0, 8)));
  }

  @Test
  void anErrorOfThePublisherStopsTheTimeline() throws Exception {
    ExpectedLog.containing("t/m: stopped while publishing");
    open(
        new ForwardingObjectStore(new MemoryObjectStore()) {
          @Override
          public void putFile(String name, Path file) {
            throw new NoClassDefFoundError("injected");
          }
        });
    work.start();
    wal.append(WalBuilder.record(XACT, HAS_INFO, 1000, commit(0, new byte[0])));
    receive();
    PageserverException stopped =
        assertThrows(PageserverException.class, () -> work.publishNow(Duration.ofMinutes(1)));
    assertTrue(String.valueOf(stopped.getMessage()).contains("NoClassDefFoundError: injected"));
    assertEquals(stopped, writer.failure());
    close();
  }
}
