package dev.varve.engine.tree;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.engine.layer.Chain;
import dev.varve.engine.layer.ValueKind;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The open layer beside a sorted map, and beside a reader. */
final class OpenLayerFuzzTest {
  private static final long START_LSN = 1L << 24;
  private static final int KEYS = 20_000;

  private record Entry(long lsn, ValueKind kind, ByteBuffer bytes) {}

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4})
  void keepsWhatWasPut(long seed) {
    Random random = new Random(seed);
    OpenLayer layer = new OpenLayer(START_LSN, 0, new LayerMemory(Long.MAX_VALUE));
    TreeMap<Long, List<Entry>> model = new TreeMap<>();
    long lsn = START_LSN;
    for (int i = 0; i < 60_000; i++) {
      lsn += 8L * random.nextInt(3);
      long key = key(random);
      ValueKind kind = random.nextInt(12) == 0 ? ValueKind.IMAGE : ValueKind.RECORD;
      byte[] bytes = new byte[length(random)];
      random.nextBytes(bytes);
      layer.put(key, lsn, kind, bytes, 0, bytes.length);
      model
          .computeIfAbsent(key, k -> new ArrayList<>())
          .add(new Entry(lsn, kind, ByteBuffer.wrap(bytes)));
      if (i % 64 == 0) {
        checkAt(layer, key, model, START_LSN + 8 * random.nextLong((lsn - START_LSN) / 8 + 1));
      }
    }
    assertArrayEquals(
        model.keySet().stream().mapToLong(Long::longValue).toArray(), layer.sortedKeys());
    assertEquals(60_000, layer.entryCount());
    for (long key : layer.sortedKeys()) {
      checkAt(layer, key, model, lsn);
      Chain chain = new Chain();
      layer.collectAll(key, chain);
      assertEquals(model.get(key).reversed(), entries(chain));
    }
    Chain none = new Chain();
    layer.collect(7L << 32, lsn, none);
    assertEquals(0, none.size());
  }

  /** Few keys have many entries, most have few. */
  private static long key(Random random) {
    int block = random.nextBoolean() ? random.nextInt(20) : random.nextInt(KEYS);
    return 64L + random.nextInt(2) << 32 | block;
  }

  private static int length(Random random) {
    return switch (random.nextInt(200)) {
      case 0 -> random.nextInt(9000);
      case 1 -> 0;
      case 2 -> random.nextInt(100) == 0 ? 2 << 20 : 1 << 10;
      default -> random.nextInt(160);
    };
  }

  private static void checkAt(OpenLayer layer, long key, Map<Long, List<Entry>> model, long lsn) {
    List<Entry> expected = new ArrayList<>();
    for (Entry entry : model.getOrDefault(key, List.of()).reversed()) {
      if (entry.lsn <= lsn) {
        expected.add(entry);
        if (entry.kind.endsChain()) {
          break;
        }
      }
    }
    Chain chain = new Chain();
    layer.collect(key, lsn, chain);
    assertEquals(expected, entries(chain));
  }

  private static List<Entry> entries(Chain chain) {
    List<Entry> entries = new ArrayList<>();
    for (int i = 0; i < chain.size(); i++) {
      ByteBuffer bytes = ByteBuffer.wrap(chain.bytes(i), chain.offset(i), chain.length(i));
      entries.add(new Entry(chain.lsn(i), chain.kind(i), bytes));
    }
    return entries;
  }

  /** What the writer has published a reader finds, whole, while the writer goes on. */
  @Test
  void isReadWhileItIsWritten() throws Exception {
    OpenLayer layer = new OpenLayer(START_LSN, 0, new LayerMemory(Long.MAX_VALUE));
    AtomicLong published = new AtomicLong(START_LSN);
    long end = START_LSN + 8L * 300_000;
    try (ExecutorService reading = Executors.newSingleThreadExecutor()) {
      Future<?> reader = reading.submit(() -> read(layer, published, end));
      try {
        byte[] bytes = new byte[100];
        for (long lsn = START_LSN + 8; lsn <= end; lsn += 8) {
          long key = keyAt(lsn);
          Arrays.fill(bytes, (byte) (key ^ lsn >>> 3));
          layer.put(key, lsn, ValueKind.RECORD, bytes, 0, (int) (lsn >>> 3) % bytes.length);
          published.set(lsn);
        }
      } finally {
        published.set(end);
      }
      reader.get();
    }
  }

  private static long keyAt(long lsn) {
    return 64L << 32 | (lsn >>> 3) * 0x9E3779B97F4A7C15L >>> 40 & 0x1FFF;
  }

  private static void read(OpenLayer layer, AtomicLong published, long end) {
    Random random = new Random(5);
    Chain chain = new Chain();
    long lsn;
    do {
      lsn = published.get();
      long wanted = START_LSN + 8 + 8 * random.nextLong(Math.max(1, (lsn - START_LSN) / 8));
      if (wanted > lsn) {
        continue;
      }
      long key = keyAt(wanted);
      chain.clear();
      layer.collect(key, lsn, chain);
      boolean found = false;
      for (int i = 0; i < chain.size(); i++) {
        long its = chain.lsn(i);
        found |= its == wanted;
        assertEquals(key, keyAt(its));
        assertEquals((int) (its >>> 3) % 100, chain.length(i));
        for (int at = 0; at < chain.length(i); at++) {
          assertEquals((byte) (key ^ its >>> 3), chain.bytes(i)[chain.offset(i) + at]);
        }
      }
      assertTrue(found);
    } while (lsn < end);
  }
}
