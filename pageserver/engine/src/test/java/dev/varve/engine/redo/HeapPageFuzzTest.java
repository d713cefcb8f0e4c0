package dev.varve.engine.redo;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.varve.engine.bytes.LittleEndian;
import dev.varve.engine.postgres.Page;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Compaction of heap pages against one that copies every tuple out and back. */
class HeapPageFuzzTest {
  private static final long SEED = 815;
  private static final int ROUNDS = 3000;

  /** How far the tuples' places are from the order of their numbers. */
  private enum Order {
    /** As inserts leave them. */
    DESCENDING,
    /** A few tuples lie elsewhere, as updates that take up freed numbers leave them. */
    DISTURBED,
    SHUFFLED
  }

  @Test
  void compactsAsCopyingOutAndBackDoes() {
    for (int round = 0; round < ROUNDS; round++) {
      long seed = SEED + round;
      Random random = new Random(seed);
      byte[] page = page(random, Order.values()[round % Order.values().length]);
      byte[] expected = page.clone();
      compact(expected);
      HeapPage.repairFragmentation(page);
      assertArrayEquals(expected, page, () -> "seed " + seed);
      byte[] again = page.clone();
      HeapPage.repairFragmentation(again);
      assertArrayEquals(page, again, () -> "again, seed " + seed);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "8160, 8064, 8000, beyond the special space",
    "8128, 8060, 8000, at no multiple of 8",
    "8128, 7992, 8064, before the upper pointer and followed by another run",
    "8128, 8064, 7992, before the upper pointer and last",
    "8064, 8000, 7936, before the upper pointer and in a run"
  })
  void refusesMisplacedTuples(int first, int second, int third, String what) {
    byte[] page = threeTuples(first, second, third);
    assertThrows(RedoException.class, () -> HeapPage.repairFragmentation(page), what);
    HeapPage.repairFragmentation(threeTuples(8000, 8064, 8128));
  }

  /** Of 64 bytes, and no room below 8000. */
  private static byte[] threeTuples(int... offsets) {
    byte[] page = new byte[Page.SIZE];
    Page.init(page, 0);
    for (int i = 0; i < offsets.length; i++) {
      PageItems.putItemId(page, i + 1, PageItems.normal(offsets[i], 64));
    }
    LittleEndian.putU16(page, Page.LOWER, Page.itemIdOffset(offsets.length + 1));
    LittleEndian.putU16(page, Page.UPPER, 8000);
    return page;
  }

  /** Tuples with gaps between them, and items that are unused, redirected or dead. */
  private static byte[] page(Random random, Order order) {
    byte[] page = new byte[Page.SIZE];
    Page.init(page, random.nextInt(4) == 0 ? 16 : 0);
    random
        .ints(Page.HEADER_SIZE, Page.special(page))
        .limit(4000)
        .forEach(i -> page[i] = (byte) random.nextInt());
    int count = random.nextInt(120);
    int most = random.nextBoolean() ? 40 : 200;
    List<Integer> placed = new ArrayList<>();
    int lower = Page.itemIdOffset(count + 1);
    int upper = Page.special(page);
    List<Integer> ids = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      int kind = random.nextInt(10);
      int length = 1 + random.nextInt(most);
      int gap = random.nextInt(3) == 0 ? 8 * random.nextInt(8) : 0;
      if (kind > 2 && upper - gap - PageItems.align(length) >= lower) {
        upper -= gap + PageItems.align(length);
        placed.add(i);
        ids.add(PageItems.normal(upper, length));
      } else {
        ids.add(
            switch (kind) {
              case 0 -> 2 << 15 | 1 + random.nextInt(count); // redirected
              case 1 -> 3 << 15; // dead
              default -> 0;
            });
      }
    }
    if (order == Order.SHUFFLED) {
      Collections.shuffle(placed, random);
    }
    int swaps = order == Order.DISTURBED ? 1 + random.nextInt(3) : 0;
    List<Integer> numbers = new ArrayList<>(placed);
    if (order == Order.SHUFFLED) {
      Collections.sort(numbers);
    }
    List<Integer> shuffled = new ArrayList<>(ids);
    for (int i = 0; i < placed.size(); i++) {
      shuffled.set(numbers.get(i), ids.get(placed.get(i)));
    }
    for (int i = 0; i < swaps && placed.size() > 1; i++) {
      Collections.swap(
          shuffled,
          placed.get(random.nextInt(placed.size())),
          placed.get(random.nextInt(placed.size())));
    }
    for (int i = 0; i < count; i++) {
      PageItems.putItemId(page, i + 1, shuffled.get(i));
    }
    LittleEndian.putU16(page, Page.LOWER, lower);
    LittleEndian.putU16(page, Page.UPPER, upper);
    return page;
  }

  private static void compact(byte[] page) {
    byte[] old = page.clone();
    int count = Page.itemCount(page);
    int upper = Page.special(page);
    int last = 0;
    boolean free = false;
    for (int number = 1; number <= count; number++) {
      int itemId = PageItems.itemId(old, number);
      if (itemId == 0) {
        continue;
      }
      free |= number > last + 1;
      last = number;
      int length = PageItems.length(itemId);
      if (length > 0) {
        int size = PageItems.align(length);
        upper -= size;
        System.arraycopy(old, PageItems.offset(itemId), page, upper, size);
        PageItems.putItemId(page, number, PageItems.normal(upper, length));
      }
    }
    LittleEndian.putU16(page, Page.UPPER, upper);
    LittleEndian.putU16(page, Page.LOWER, Page.itemIdOffset(last + 1));
    if (free) {
      Page.setFlag(page, Page.HAS_FREE_LINES);
    } else {
      Page.clearFlag(page, Page.HAS_FREE_LINES);
    }
    assertEquals(last, Page.itemCount(page));
  }
}
