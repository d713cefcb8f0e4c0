package dev.varve.engine.catalog;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.engine.PageserverException.InvalidRequest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

final class ShardTest {
  /** The examples of {@code docs/formats/sharding.md}; no page is found when these change. */
  @Test
  void dealsOutAsTheFormatSays() throws IOException {
    Shard shard = new Shard(0, 4, 2048);
    List<String> rows =
        Files.readAllLines(Path.of("../../docs/formats/sharding.md")).stream()
            .filter(line -> line.matches("(\\| [0-9]+ ){5}\\|"))
            .toList();
    assertEquals(7, rows.size());
    for (String row : rows) {
      int[] cells =
          Stream.of(row.substring(2).split("[| ]+")).mapToInt(Integer::parseUnsignedInt).toArray();
      assertEquals(cells[4], shard.indexOf(cells[0], cells[1], cells[2], cells[3]), row);
    }
  }

  @Test
  void keepsAStripeTogetherAndSpreadsStripes() {
    Shard shard = new Shard(0, 3, 16);
    int[] stripes = new int[3];
    for (int stripe = 0; stripe < 3000; stripe++) {
      int first = shard.indexOf(5, 20000, 0, stripe * 16);
      for (int block = 1; block < 16; block++) {
        assertEquals(first, shard.indexOf(5, 20000, 0, stripe * 16 + block));
      }
      stripes[first]++;
    }
    assertTrue(IntStream.of(stripes).allMatch(n -> n > 900), () -> stripes[0] + " " + stripes[1]);
  }

  @Test
  void eachBlockHasOneOwner() {
    for (int block = 0; block < 100_000; block += 997) {
      int owners = 0;
      for (int index = 0; index < 5; index++) {
        if (new Shard(index, 5, 100).owns(5, 1259, 0, block)) {
          owners++;
        }
      }
      assertEquals(1, owners);
    }
  }

  @Test
  void readsWhatItWritesAndNothingElse() {
    Shard shard = new Shard(1, 2, 2048);
    assertEquals("1-of-2-by-2048", shard.toString());
    assertEquals(shard, Shard.parse("1-of-2-by-2048"));
    for (String wrong :
        new String[] {"", "1-of-2", "2-of-2-by-1", "0-of-1-by-0", "0-of-999-by-1"}) {
      assertThrows(InvalidRequest.class, () -> Shard.parse(wrong), wrong);
    }
  }
}
