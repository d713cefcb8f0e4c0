package dev.varve.engine.ingest;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.engine.EngineOptions;
import dev.varve.engine.bytes.ByteWriter;
import dev.varve.engine.catalog.ClusterSettings;
import dev.varve.engine.catalog.ClusterView;
import dev.varve.engine.catalog.RelationDictionary;
import dev.varve.engine.catalog.RelationSize;
import dev.varve.engine.catalog.Shard;
import dev.varve.engine.layer.Chain;
import dev.varve.engine.layer.LayerDescriptor;
import dev.varve.engine.layer.TestOrigin;
import dev.varve.engine.postgres.ClusterIdentity;
import dev.varve.engine.postgres.Page;
import dev.varve.engine.postgres.PostgresMajor;
import dev.varve.engine.read.PageReader;
import dev.varve.engine.redo.RedoContext;
import dev.varve.engine.store.MemoryObjectStore;
import dev.varve.engine.tree.KeySpace;
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
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Relations that records make longer than they write, cut off, drop and make again: every block at
 * every LSN is what was written to it since it was cut off, else zeros; whatever was merged and
 * attached again meanwhile.
 */
@Timeout(120)
final class RelationHolesFuzzTest {
  private static final int SEGMENT_SIZE = 16 << 20;
  private static final int XACT = 1;
  private static final int SMGR = 2;
  private static final int TRUNCATE = 0x20;
  private static final int DATABASE = 4;
  private static final int GENERIC = 20;
  private static final int HAS_INFO = 0x80;
  private static final int HAS_RELATIONS = 0x4;
  private static final int TABLESPACE = 1663;
  private static final int DATABASE_OID = 5;
  private static final int COPY_OID = 7;
  private static final int RELATION = 20_000;
  private static final ClusterIdentity IDENTITY =
      new ClusterIdentity(WalBuilder.SYSTEM_IDENTIFIER, PostgresMajor.V17, SEGMENT_SIZE);
  private static final RedoContext CONTEXT = new RedoContext(PostgresMajor.V17, false);

  /** Images, merges and files come often. */
  private static final EngineOptions OPTIONS =
      new EngineOptions(
          16 << 10,
          Duration.ofHours(1),
          2,
          64 << 20,
          64 << 20,
          64 << 20,
          1 << 20,
          1 << 20,
          4,
          2,
          32 << 10);

  @TempDir Path directory;

  private final MemoryObjectStore store = new MemoryObjectStore();
  private final LayerResources shared = LayerResources.of(OPTIONS);
  private final WalBuilder wal = new WalBuilder(PostgresMajor.V17, SEGMENT_SIZE, SEGMENT_SIZE);
  private final StepScheduler scheduler = StepScheduler.started();
  private RelationDictionary dictionary;
  private TimelineLayers layers;
  private PageReader reader;
  private TimelineWriter writer;
  private TimelineWork work;

  @AfterEach
  void stop() {
    scheduler.close();
  }

  private void attach(int generation, Shard shard) throws IOException {
    layers =
        TimelineLayers.attach(
            store,
            TestOrigin.TIMELINES,
            TestOrigin.ORIGIN,
            directory.resolve("" + generation),
            shared,
            generation,
            OPTIONS,
            System::nanoTime);
    boolean isNew = layers.manifest().isEmpty();
    if (isNew) {
      layers.commitImport(IDENTITY, SEGMENT_SIZE, List.of());
    }
    long lsn = layers.manifest().publishedLsn();
    long lastRecordLsn = layers.manifest().lastRecordLsn();
    dictionary = new RelationDictionary();
    reader = new PageReader(layers::map, () -> CONTEXT);
    dictionary.loadAll(reader, lsn);
    OpenLayer open = new OpenLayer(lsn, 0, layers.memory());
    layers.open(open);
    WalIngest ingest =
        new WalIngest(
            shard,
            dictionary,
            new DatabaseCopy(layers, reader, shard, OPTIONS),
            new RecordImages(layers, OPTIONS),
            CONTEXT,
            open);
    for (int id = KeySpace.FIRST_RELATION; id < dictionary.end(); id++) {
      ingest.state().loadSize(id, view(lsn).size(id));
    }
    writer =
        new TimelineWriter(
            layers,
            OPTIONS,
            System::nanoTime,
            IDENTITY,
            ingest,
            open,
            SEGMENT_SIZE,
            lsn,
            lastRecordLsn == 0 ? WalDecoder.UNKNOWN_PREV : lastRecordLsn,
            SEGMENT_SIZE,
            ClusterSettings.NONE);
    work =
        new TimelineWork(
            "t/m", layers, reader, dictionary, writer, OPTIONS, scheduler, System::nanoTime);
    work.start();
  }

  private ClusterView view(long lsn) {
    return new ClusterView(reader, dictionary, lsn);
  }

  private void detach() {
    writer.close();
    work.close();
    layers.close();
  }

  private long receive() {
    byte[] bytes = wal.wal();
    int from = (int) (writer.wantedLsn() - SEGMENT_SIZE);
    writer.receive(SEGMENT_SIZE + from, bytes, from, bytes.length - from);
    return wal.lsn();
  }

  /** A generic record that writes a page's lower and upper bounds. */
  private void write(int block, int lower) {
    ByteWriter body = new ByteWriter();
    body.u8(0);
    body.u8(0x20);
    body.u16(8);
    relation(body, DATABASE_OID);
    body.i32(block);
    body.u16(12);
    body.u16(4);
    body.u16(lower);
    body.u16(Page.SIZE);
    wal.append(WalBuilder.record(GENERIC, 0, 0, body.toByteArray()));
  }

  private void truncate(int blocks) {
    ByteWriter main = new ByteWriter();
    main.i32(blocks);
    relation(main, DATABASE_OID);
    main.i32(1);
    wal.append(WalBuilder.record(SMGR, TRUNCATE, 0, WalBuilder.main(main.toByteArray())));
  }

  private void drop() {
    ByteWriter main = new ByteWriter();
    main.i64(1_000_000);
    main.i32(HAS_RELATIONS);
    main.i32(1);
    relation(main, DATABASE_OID);
    wal.append(WalBuilder.record(XACT, HAS_INFO, 1000, WalBuilder.main(main.toByteArray())));
  }

  private void copyDatabase() {
    ByteWriter main = new ByteWriter();
    for (int oid : new int[] {COPY_OID, TABLESPACE, DATABASE_OID, TABLESPACE}) {
      main.i32(oid);
    }
    wal.append(WalBuilder.record(DATABASE, 0, 0, WalBuilder.main(main.toByteArray())));
  }

  private static void relation(ByteWriter out, int database) {
    out.i32(TABLESPACE);
    out.i32(database);
    out.i32(RELATION);
  }

  private int id(int database) {
    return dictionary.find(TABLESPACE, database, RELATION, 0);
  }

  /** What the page's lower bound is; -1 when nothing is known of it. */
  private int lower(int database, int block, long lsn) {
    byte[] page = new byte[Page.SIZE];
    RelationSize size = view(lsn).size(id(database));
    long key = KeySpace.key(id(database), block);
    return reader.page(key, lsn, size.zerosLsn(block), page, new Chain()) ? Page.lower(page) : -1;
  }

  @Test
  void aSparseExtensionIsOneEntry() throws IOException {
    attach(0, Shard.WHOLE);
    OpenLayer open = Objects.requireNonNull(layers.map().open());
    write(1 << 20, 24);
    long lsn = receive();
    assertTrue(open.entryCount() <= 8, open.entryCount() + " entries");
    assertEquals((1 << 20) + 1, view(lsn).relationSize(id(DATABASE_OID)));
    for (int block : new int[] {0, 4711, (1 << 20) - 1}) {
      assertEquals(0, lower(DATABASE_OID, block, lsn));
    }
    assertEquals(24, lower(DATABASE_OID, 1 << 20, lsn));
    // As far as block numbers go, and back.
    write(-3, 32);
    truncate(1000);
    write(-3, 40);
    lsn = receive();
    assertTrue(open.entryCount() <= 24, open.entryCount() + " entries");
    assertEquals(-2, view(lsn).relationSize(id(DATABASE_OID)));
    assertEquals(0, lower(DATABASE_OID, 1 << 20, lsn));
    assertEquals(40, lower(DATABASE_OID, -3, lsn));
    detach();
  }

  /** Of a block that was written, no layer may lose the entries. */
  @Test
  void aBlockOutsideOfHolesIsNotZerosByItself() throws IOException {
    attach(0, Shard.WHOLE);
    write(10, 24);
    write(1000, 24);
    long lsn = receive();
    RelationSize size = view(lsn).size(id(DATABASE_OID));
    assertEquals(0, size.zerosLsn(5), "a gap as any two transactions leave it has pages");
    assertEquals(0, size.zerosLsn(10));
    assertFalse(size.zerosLsn(500) == 0);
    assertEquals(0, size.zerosLsn(1000));
    detach();
  }

  /** The relation at the end of a record. */
  private record State(int size, Map<Integer, Integer> lowers, int copied) {}

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5, 6})
  void everyBlockAtEveryLsnIsWhatWasWrittenLast(long seed) throws Exception {
    Random random = new Random(seed);
    Shard shard = seed % 3 == 0 ? new Shard(0, 2, 16) : Shard.WHOLE;
    attach(0, shard);
    TreeMap<Long, State> states = new TreeMap<>();
    Map<Integer, Integer> lowers = new HashMap<>();
    Map<Integer, Integer> copiedLowers = Map.of();
    TreeMap<Long, Map<Integer, Integer>> copies = new TreeMap<>();
    int size = -1;
    int copied = -1;
    for (int step = 1; step <= 1500; step++) {
      int choice = random.nextInt(100);
      if (choice < 75) {
        int block =
            switch (random.nextInt(8)) {
              case 0 -> Math.max(0, size) + random.nextInt(400);
              case 1 -> Math.max(0, size) + random.nextInt(30);
              case 2 -> Math.max(0, size);
              default -> random.nextInt(Math.max(1, size));
            };
        int lower = 24 + step % 4000;
        write(block, lower);
        lowers.put(block, lower);
        size = Math.max(size, block + 1);
      } else if (choice < 97) {
        int blocks = random.nextInt(Math.max(1, size + 1));
        truncate(blocks);
        size = Math.min(Math.max(0, size), blocks);
        int end = size;
        lowers.keySet().removeIf(block -> block >= end);
      } else if (choice < 98) {
        drop();
        size = -1;
        lowers.clear();
      } else {
        copyDatabase();
        if (size != -1) {
          copied = size;
          copiedLowers = new HashMap<>(lowers);
        }
      }
      long lsn = receive();
      states.put(lsn, new State(size, new HashMap<>(lowers), copied));
      copies.put(lsn, copiedLowers);
      if (random.nextInt(100) == 0) {
        work.publishNow(Duration.ofMinutes(1));
      }
      if (random.nextInt(400) == 0) {
        detach();
        attach(layers.manifest().generation() + 1, shard);
        receive();
      }
    }
    work.publishNow(Duration.ofMinutes(1));
    assertTrue(
        layers.map().files().stream()
            .map(file -> file.descriptor())
            .anyMatch(layer -> layer.level() > 0),
        () ->
            layers.map().files().stream()
                .map(f -> f.descriptor())
                .map(LayerDescriptor::name)
                .toList()
                .toString());
    for (int check = 0; check < 150; check++) {
      long lsn = states.floorKey(random.nextLong(states.firstKey(), wal.lsn() + 1));
      State state = states.get(lsn);
      String at = "seed " + seed + " at " + Long.toHexString(lsn);
      assertEquals(state.size, view(lsn).relationSize(id(DATABASE_OID)), at);
      assertBlocks(DATABASE_OID, state.size, state.lowers, lsn, shard, at);
      assertBlocks(COPY_OID, state.copied, copies.get(lsn), lsn, shard, at + " copy");
    }
    detach();
  }

  private void assertBlocks(
      int database, int size, Map<Integer, Integer> lowers, long lsn, Shard shard, String at) {
    for (int block = 0; block < size; block++) {
      if (shard.owns(database, RELATION, 0, block)) {
        assertEquals(
            lowers.getOrDefault(block, 0), lower(database, block, lsn), at + " block " + block);
      }
    }
  }
}
