package dev.varve.compute.page;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.api.v1.ThinImageHeader;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

final class ShardedPageSourceTest {
  private static final RelationFork FORK = new RelationFork(1663, 5, 16384, 0);

  /** Answers each page with its own shard and block in the first bytes. */
  private record Shard(int index, List<Long> asked) implements PageSource {
    @Override
    public ByteBuffer readPages(
        RelationFork fork, long firstBlock, int count, boolean ahead, Waiter waiter) {
      ByteBuffer pages = ByteBuffer.allocate(count * PAGE_BYTES);
      for (int i = 0; i < count; i++) {
        asked.add(firstBlock + i);
        pages.putInt(i * PAGE_BYTES, index).putLong(i * PAGE_BYTES + 4, firstBlock + i);
      }
      return pages;
    }

    @Override
    public RelationList listRelations(int tablespace, int database, int position, Waiter waiter) {
      return new RelationList(new int[] {index + 1}, new byte[1], new int[1], position);
    }

    @Override
    public RelationList relation(int tablespace, int database, int relation, Waiter waiter) {
      return new RelationList(new int[] {index + 1}, new byte[1], new int[1], relation);
    }

    @Override
    public void close() {}
  }

  @Test
  void cutsARunAtStripesAndKeepsTheOrder() throws Exception {
    ThinImageHeader header =
        ThinImageHeader.newBuilder()
            .setShardCount(3)
            .setStripeBlocks(10)
            .setTimelineId("00ff")
            .build();
    List<List<Long>> asked = List.of(new ArrayList<>(), new ArrayList<>(), new ArrayList<>());
    ShardLayout layout = new ShardLayout(3, 10);
    try (PageSource source =
        ShardedPageSource.of(
            header,
            "t/l",
            (index, timeline) -> {
              assertEquals("t/l/" + index + "-of-3-by-10@00ff", timeline);
              return new Shard(index, asked.get(index));
            })) {
      ByteBuffer pages = source.readPages(FORK, 7, 512, false, Waiter.PATIENT);
      assertEquals(512 * PageSource.PAGE_BYTES, pages.remaining());
      for (int i = 0; i < 512; i++) {
        assertEquals(layout.shardOf(FORK, 7 + i), pages.getInt(i * PageSource.PAGE_BYTES));
        assertEquals(7 + i, pages.getLong(i * PageSource.PAGE_BYTES + 4));
      }
      assertTrue(asked.stream().allMatch(blocks -> blocks.size() > 100));
      RelationList list = source.listRelations(1663, 5, 17, Waiter.PATIENT);
      assertEquals(1, list.relation(0));
      assertEquals(17, list.nextPosition());
      assertEquals(1, source.relation(1663, 5, 18, Waiter.PATIENT).relation(0));
    }
  }

  @Test
  void askForTheWholeWhenThereIsOneShard() throws Exception {
    ThinImageHeader header =
        ThinImageHeader.newBuilder().setShardCount(1).setTimelineId("00ff").build();
    try (PageSource source =
        ShardedPageSource.of(
            header,
            "t/l",
            (index, timeline) -> {
              assertEquals("t/l@00ff", timeline);
              return new Shard(index, new ArrayList<>());
            })) {
      assertEquals(
          PageSource.PAGE_BYTES, source.readPages(FORK, 7, 1, false, Waiter.PATIENT).remaining());
    }
  }
}
