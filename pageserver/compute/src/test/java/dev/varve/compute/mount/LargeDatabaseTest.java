package dev.varve.compute.mount;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.compute.fuse.FuseCaller;
import dev.varve.compute.fuse.FuseOptions;
import dev.varve.compute.fuse.ProcessOwner;
import dev.varve.compute.page.PageSource;
import dev.varve.compute.page.RelationFork;
import dev.varve.compute.page.RelationList;
import dev.varve.compute.page.Waiter;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A database of a million relation forks, which an agent must serve with a heap of 256 MB. */
class LargeDatabaseTest {
  private static final int FORKS = 1_000_000;
  private static final int FIRST = 20_000;
  private static final int MOST_NODES = 1000;

  @TempDir Path temp;

  private final Million source = new Million();

  /** Holds nothing: relation FIRST + i has one block. */
  private static final class Million implements PageSource {
    private static final int PAGE_FORKS = 8192;
    final AtomicInteger asked = new AtomicInteger();

    @Override
    public ByteBuffer readPages(
        RelationFork fork, long firstBlock, int count, boolean ahead, Waiter waiter) {
      ByteBuffer pages = ByteBuffer.allocate(count * PAGE_BYTES);
      ModelPageSource.fill(fork, firstBlock, pages);
      return pages.flip();
    }

    private static RelationList range(int from, int to, int next) {
      int[] numbers = new int[to - from];
      int[] blocks = new int[to - from];
      for (int i = from; i < to; i++) {
        numbers[i - from] = FIRST + i;
        blocks[i - from] = 1;
      }
      return new RelationList(numbers, new byte[to - from], blocks, next);
    }

    @Override
    public RelationList listRelations(int tablespace, int database, int position, Waiter waiter) {
      int end = Math.min(position + PAGE_FORKS, FORKS);
      return range(position, end, end == FORKS ? 0 : end);
    }

    @Override
    public RelationList relation(int tablespace, int database, int relation, Waiter waiter) {
      asked.incrementAndGet();
      int at = relation - FIRST;
      return at >= 0 && at < FORKS ? range(at, at + 1, 0) : RelationList.EMPTY;
    }

    @Override
    public void close() {}
  }

  private static long heapBytes() {
    System.gc();
    return Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory();
  }

  @Test
  void itsDirectoryIsReadWithoutANodeForEachFile() throws Exception {
    Path point = Files.createDirectory(temp.resolve("base"));
    PageMount mount =
        TestMount.of(
            PageMount.prepare(
                new PageMount.Plan(
                    1663,
                    point,
                    temp.resolve("overlay"),
                    temp.resolve("tree"),
                    List.of(new DatabaseDirectory("5", 5)),
                    List.of(),
                    ProcessOwner.user(),
                    ProcessOwner.group(),
                    new FuseOptions(4, 1 << 20, true, 1024),
                    MOST_NODES),
                source,
                new MountCounters(),
                new SourceLog("a million"),
                false));
    try {
      long before = heapBytes();
      long start = System.nanoTime();
      int names = 0;
      try (var entries = Files.newDirectoryStream(point.resolve("5"))) {
        for (Path entry : entries) {
          names += entry.getFileName().toString().isEmpty() ? 0 : 1;
        }
      }
      System.out.printf(
          "a directory of %d files: %d ms, heap %d kB more%n",
          names, (System.nanoTime() - start) / 1_000_000, (heapBytes() - before) / 1024);
      assertEquals(FORKS, names);
      assertEquals(8192, Files.size(point.resolve("5/" + (FIRST + 777_777))));
      assertEquals(8192, Files.readAllBytes(point.resolve("5/" + FIRST)).length);
      byte[] page = new byte[8192];
      for (int i = 0; i < 5000; i++) {
        page[17] = (byte) i;
        Files.write(point.resolve("5/" + (FIRST + i)), page, StandardOpenOption.WRITE);
      }
      long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
      while (mount.nodes() > MOST_NODES * 5 / 4 && System.nanoTime() < deadline) {
        TimeUnit.MILLISECONDS.sleep(1);
      }
      assertTrue(mount.nodes() <= MOST_NODES * 5 / 4, mount.nodes() + " nodes");
      for (int i = 0; i < 5000; i += 7) {
        assertEquals((byte) i, Files.readAllBytes(point.resolve("5/" + (FIRST + i)))[17]);
      }
      Files.delete(point.resolve("5/" + (FIRST + 1)));
      Files.createFile(point.resolve("5/" + (FIRST + FORKS)));
    } finally {
      mount.unmount();
    }
  }

  @Test
  void whatTheKernelForgetsTakesNothing() throws Exception {
    Files.createDirectory(temp.resolve("5"));
    MountTree tree =
        new MountTree(
            1663, temp, new PageFetcher(source, new MountCounters(), new SourceLog("a million")));
    DirectoryListing listing = new DirectoryListing(tree, new ListingCache(1 << 20));
    TablespaceFileSystem files =
        new TablespaceFileSystem(tree, listing, new NodeEviction(tree, MOST_NODES), 0, 0);
    Node.Directory database = tree.addDirectory(tree.root(), "5", MountTree.DIRECTORY_MODE, 5);
    assertNull(listing.held(database, Waiter.PATIENT));
    int nodes = tree.size();
    for (int i = 0; i < 50_000; i++) {
      long node = files.lookup(database.id, "" + (FIRST + i), FuseCaller.KERNEL).node();
      if (i % 1000 == 0) {
        files.write(node, 0, 0, ByteBuffer.allocate(8192), FuseCaller.KERNEL);
      }
      files.forget(node, 1);
    }
    assertEquals(nodes + 50, tree.size()); // those that were written
    assertEquals(50_000, source.asked.get());
  }
}
