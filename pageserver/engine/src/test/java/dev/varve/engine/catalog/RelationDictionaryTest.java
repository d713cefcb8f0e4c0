package dev.varve.engine.catalog;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** A database's forks are found by pages, whatever else the dictionary has. */
class RelationDictionaryTest {
  private static List<Integer> all(RelationDictionary dictionary, int space, int database, int by) {
    List<Integer> found = new ArrayList<>();
    int from = 0;
    int[] ids;
    do {
      ids = dictionary.idsIn(space, database, from, by);
      for (int id : ids) {
        found.add(id);
        from = id + 1;
      }
    } while (ids.length == by);
    return found;
  }

  @Test
  void aDirectorysIdsComeByPages() {
    RelationDictionary dictionary = new RelationDictionary();
    Map<String, List<Integer>> expected = new HashMap<>();
    Random random = new Random(1);
    for (int relation = 1; relation <= 5000; relation++) {
      int space = 1663 + random.nextInt(2);
      int database = random.nextInt(7);
      int id = dictionary.add(space, database, relation, random.nextInt(4));
      expected.computeIfAbsent(space + "/" + database, key -> new ArrayList<>()).add(id);
    }
    for (int space = 1663; space < 1665; space++) {
      for (int database = 0; database < 7; database++) {
        for (int by : new int[] {1, 7, 100, 10_000}) {
          assertEquals(expected.get(space + "/" + database), all(dictionary, space, database, by));
        }
      }
    }
    assertArrayEquals(new int[0], dictionary.idsIn(1700, 5, 0, 10));
  }
}
