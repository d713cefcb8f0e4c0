package dev.varve.compute.page;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The examples of {@code docs/formats/sharding.md}, by which pageservers are tested as well. */
final class ShardLayoutTest {
  @Test
  void dealsOutAsTheFormatSays() throws Exception {
    ShardLayout layout = new ShardLayout(4, 2048);
    List<String> rows =
        Files.readAllLines(Path.of("../../docs/formats/sharding.md")).stream()
            .filter(line -> line.matches("(\\| [0-9]+ ){5}\\|"))
            .toList();
    assertEquals(7, rows.size());
    for (String row : rows) {
      String[] cells = row.split("[| ]+", -1);
      RelationFork fork =
          new RelationFork(
              1663,
              Integer.parseInt(cells[1]),
              Integer.parseUnsignedInt(cells[2]),
              Integer.parseInt(cells[3]));
      assertEquals(Integer.parseInt(cells[5]), layout.shardOf(fork, Long.parseLong(cells[4])), row);
    }
  }

  @Test
  void namesShardsAsPageserversDo() {
    assertEquals("t/l/1-of-4-by-2048", new ShardLayout(4, 2048).timeline("t/l", 1));
    assertEquals("t/l", ShardLayout.WHOLE.timeline("t/l", 0));
  }
}
