package dev.varve.compute.mount;

import dev.varve.compute.page.PageSource;
import dev.varve.compute.page.PageSourceException;
import dev.varve.compute.page.RelationFork;
import dev.varve.compute.page.RelationSize;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Relations whose every byte follows from fork, block and offset, so that a test can say what must
 * be read. Can be told to fail.
 */
final class ModelPageSource implements PageSource {
  private final Map<RelationFork, Long> blocks = new ConcurrentHashMap<>();
  final AtomicInteger requests = new AtomicInteger();
  final AtomicLong pages = new AtomicLong();
  volatile boolean failing;

  void add(RelationFork fork, long count) {
    blocks.put(fork, count);
  }

  static void fill(RelationFork fork, long block, ByteBuffer into) {
    long seed = fork.hashCode() * 31L + block + 1;
    for (int i = 0; i < PAGE_BYTES; i += 8) {
      seed = seed * 6364136223846793005L + 1442695040888963407L;
      into.putLong(seed);
    }
  }

  @Override
  public ByteBuffer readPages(RelationFork fork, long firstBlock, int count, boolean ahead)
      throws PageSourceException {
    requests.incrementAndGet();
    pages.addAndGet(count);
    Long size = blocks.get(fork);
    if (failing || size == null || firstBlock + count > size) {
      throw new PageSourceException("refused " + fork + " " + firstBlock + "+" + count);
    }
    ByteBuffer answer = ByteBuffer.allocate(count * PAGE_BYTES);
    for (int i = 0; i < count; i++) {
      fill(fork, firstBlock + i, answer);
    }
    return answer.flip();
  }

  @Override
  public List<RelationSize> listRelations(int tablespace, int database) throws PageSourceException {
    if (failing) {
      throw new PageSourceException("refused the list of " + database);
    }
    List<RelationSize> found = new ArrayList<>();
    blocks.forEach((fork, count) -> {
      if (fork.tablespace() == tablespace && fork.database() == database) {
        found.add(new RelationSize(fork, count, fork.fork()));
      }
    });
    return found;
  }

  @Override
  public void close() {}
}
