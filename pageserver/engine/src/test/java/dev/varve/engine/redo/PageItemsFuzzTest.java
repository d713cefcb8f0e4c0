package dev.varve.engine.redo;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.varve.engine.postgres.Page;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Random operations on a page's items against a list. */
class PageItemsFuzzTest {
  private static final long SEED = 4711;

  @Test
  void behavesLikeAList() {
    for (int round = 0; round < 60; round++) {
      Random random = new Random(SEED + round);
      byte[] page = new byte[Page.SIZE];
      Page.init(page, 16);
      List<byte[]> model = new ArrayList<>();
      for (int step = 0; step < 400; step++) {
        step(random, page, model);
        check(page, model, SEED + round);
      }
    }
  }

  private static void step(Random random, byte[] page, List<byte[]> model) {
    byte[] item = new byte[8 + random.nextInt(random.nextInt(10) == 0 ? 900 : 60)];
    random.nextBytes(item);
    int number = model.isEmpty() ? 0 : 1 + random.nextInt(model.size());
    int free = Page.upper(page) - Page.lower(page);
    switch (random.nextInt(8)) {
      case 0, 1, 2, 3 -> {
        if (free >= PageItems.align(item.length) + 4) {
          int place = 1 + random.nextInt(model.size() + 1);
          assertEquals(place, PageItems.add(page, item, 0, item.length, place));
          model.add(place - 1, item);
        } else {
          assertThrows(
              RedoException.class, () -> PageItems.add(page.clone(), item, 0, item.length, 1));
        }
      }
      case 4 -> {
        if (number > 0) {
          PageItems.delete(page, number);
          model.remove(number - 1);
        }
      }
      case 5, 6 -> {
        if (number > 0
            && PageItems.align(item.length) - PageItems.align(model.get(number - 1).length)
                <= free) {
          PageItems.overwrite(page, number, item, 0, item.length);
          model.set(number - 1, item);
        }
      }
      default -> {
        int[] numbers =
            random
                .ints(random.nextInt(10), 1, model.size() + 2)
                .filter(i -> i <= model.size())
                .sorted()
                .distinct()
                .toArray();
        PageItems.deleteAll(page, BlockRecords.u16s(numbers), 0, numbers.length);
        for (int i = numbers.length - 1; i >= 0; i--) {
          model.remove(numbers[i] - 1);
        }
      }
    }
  }

  private static void check(byte[] page, List<byte[]> model, long seed) {
    assertEquals(model.size(), Page.itemCount(page), () -> "seed " + seed);
    int used = 0;
    for (int i = 0; i < model.size(); i++) {
      int offset = PageItems.item(page, i + 1, 0);
      int length = PageItems.length(PageItems.itemId(page, i + 1));
      assertArrayEquals(
          model.get(i), Arrays.copyOfRange(page, offset, offset + length), "seed " + seed);
      used += PageItems.align(length);
    }
    assertEquals(Page.special(page) - used, Page.upper(page), () -> "seed " + seed);
  }
}
