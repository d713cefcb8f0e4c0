package dev.varve.compute.mount;

import dev.varve.compute.page.PageSource;
import dev.varve.compute.page.PageSourceException;
import dev.varve.compute.page.RelationFork;
import dev.varve.compute.page.RelationList;
import dev.varve.compute.page.Waiter;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * Relations whose every byte follows from fork, block and offset, so that a test can say what must
 * be read. Can be told to fail.
 */
final class ModelPageSource implements PageSource {
  /** Forks of a page of a list. */
  static final int PAGE_FORKS = 8192;

  private final Map<RelationFork, Long> blocks = new ConcurrentHashMap<>();

  /** Pages of lists that were asked for. */
  final AtomicInteger lists = new AtomicInteger();

  /** Single relations that were asked for. */
  final AtomicInteger relations = new AtomicInteger();

  final AtomicInteger requests = new AtomicInteger();
  final AtomicLong pages = new AtomicLong();
  volatile boolean failing;

  /** Reads ahead of readers fail once this is counted down, whether others fail or not. */
  volatile @Nullable CountDownLatch aheadFails;

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
  public ByteBuffer readPages(
      RelationFork fork, long firstBlock, int count, boolean ahead, Waiter waiter)
      throws PageSourceException {
    requests.incrementAndGet();
    pages.addAndGet(count);
    Long size = blocks.get(fork);
    CountDownLatch held = ahead ? aheadFails : null;
    if (held != null) {
      try {
        held.await();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
    if (held != null || failing || size == null || firstBlock + count > size) {
      throw new PageSourceException("refused " + fork + " " + firstBlock + "+" + count);
    }
    ByteBuffer answer = ByteBuffer.allocate(count * PAGE_BYTES);
    for (int i = 0; i < count; i++) {
      fill(fork, firstBlock + i, answer);
    }
    return answer.flip();
  }

  @Override
  public RelationList listRelations(int tablespace, int database, int position, Waiter waiter)
      throws PageSourceException {
    if (failing) {
      throw new PageSourceException("refused the list of " + database);
    }
    lists.incrementAndGet();
    List<RelationFork> found = new ArrayList<>();
    for (RelationFork fork : blocks.keySet()) {
      if (fork.tablespace() == tablespace && fork.database() == database) {
        found.add(fork);
      }
    }
    int end = Math.min(found.size(), position + PAGE_FORKS);
    return list(found.subList(position, end), end == found.size() ? 0 : end);
  }

  @Override
  public RelationList relation(int tablespace, int database, int relation, Waiter waiter)
      throws PageSourceException {
    if (failing) {
      throw new PageSourceException("refused relation " + relation);
    }
    relations.incrementAndGet();
    List<RelationFork> found = new ArrayList<>();
    for (int fork = 0; fork < 4; fork++) {
      RelationFork one = new RelationFork(tablespace, database, relation, fork);
      if (blocks.containsKey(one)) {
        found.add(one);
      }
    }
    return list(found, 0);
  }

  private RelationList list(List<RelationFork> found, int nextPosition) {
    int[] numbers = new int[found.size()];
    byte[] forks = new byte[found.size()];
    int[] sizes = new int[found.size()];
    for (int i = 0; i < numbers.length; i++) {
      RelationFork fork = found.get(i);
      numbers[i] = fork.relation();
      forks[i] = (byte) (fork.fork() | fork.fork() << 4);
      sizes[i] = blocks.get(fork).intValue();
    }
    return new RelationList(numbers, forks, sizes, nextPosition);
  }

  @Override
  public void close() {}
}
