package dev.varve.compute.page;

import dev.varve.api.v1.ThinImageHeader;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * Pages of a sharded timeline: each run goes to the shard that keeps it, cut at the ends of
 * stripes. Lists are the same on every shard and come from the first.
 */
public final class ShardedPageSource implements PageSource {
  private final ShardLayout layout;
  private final List<PageSource> shards;

  ShardedPageSource(ShardLayout layout, List<PageSource> shards) {
    this.layout = layout;
    this.shards = List.copyOf(shards);
  }

  /** The source of one shard. */
  public interface Shards {
    /**
     * @param index of the shard, from 0
     * @param timeline the name that its reads give the timeline
     */
    PageSource open(int index, String timeline);
  }

  /**
   * The pages that an image was made for. Every read says of which timeline they are, so that one
   * that has got its name since answers nothing.
   *
   * @param timeline {@code tenant/timeline}
   */
  public static PageSource of(ThinImageHeader header, String timeline, Shards shards) {
    ShardLayout layout =
        header.getShardCount() <= 1
            ? ShardLayout.WHOLE
            : new ShardLayout(header.getShardCount(), header.getStripeBlocks());
    if (layout.count() == 1) {
      return shards.open(0, ofTheImage(header, timeline));
    }
    List<PageSource> opened = new ArrayList<>();
    for (int i = 0; i < layout.count(); i++) {
      opened.add(shards.open(i, ofTheImage(header, layout.timeline(timeline, i))));
    }
    return new ShardedPageSource(layout, opened);
  }

  private static String ofTheImage(ThinImageHeader header, String timeline) {
    return header.getTimelineId().isEmpty() ? timeline : timeline + "@" + header.getTimelineId();
  }

  @Override
  public ByteBuffer readPages(
      RelationFork fork, long firstBlock, int count, boolean ahead, Waiter waiter)
      throws IOException {
    int first = layout.inStripe(firstBlock, count);
    if (first == count) {
      return shards
          .get(layout.shardOf(fork, firstBlock))
          .readPages(fork, firstBlock, count, ahead, waiter);
    }
    ByteBuffer pages = ByteBuffer.allocate(count * PAGE_BYTES);
    int done = 0;
    while (done < count) {
      long block = firstBlock + done;
      int run = layout.inStripe(block, count - done);
      pages.put(shards.get(layout.shardOf(fork, block)).readPages(fork, block, run, ahead, waiter));
      done += run;
    }
    return pages.flip();
  }

  @Override
  public RelationList listRelations(int tablespace, int database, int position, Waiter waiter)
      throws IOException {
    return shards.getFirst().listRelations(tablespace, database, position, waiter);
  }

  @Override
  public RelationList relation(int tablespace, int database, int relation, Waiter waiter)
      throws IOException {
    return shards.getFirst().relation(tablespace, database, relation, waiter);
  }

  @Override
  public void close() {
    shards.forEach(PageSource::close);
  }
}
