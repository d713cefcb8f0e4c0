package dev.varve.compute.mount;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.compute.page.PageSource;
import dev.varve.compute.page.RelationFork;
import dev.varve.compute.page.Waiter;
import dev.varve.testkit.ExpectedLog;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Catalogs are there before they are read, and what is local already stays as it is. */
class FirstReadsTest {
  private static final int PAGE = PageSource.PAGE_BYTES;
  private static final RelationFork CLASSES = new RelationFork(1663, 5, 1259, 0);
  private static final RelationFork ATTRIBUTES = new RelationFork(1663, 5, 1249, 0);

  @TempDir Path overlay;

  private final ModelPageSource source = new ModelPageSource();
  private final MountCounters counters = new MountCounters();
  private MountTree tree;
  private DirectoryListing listing;
  private Node.Directory database;

  @BeforeEach
  void listDatabase() throws Exception {
    source.add(CLASSES, 14);
    source.add(ATTRIBUTES, 200);
    source.add(new RelationFork(1663, 5, 16400, 0), 30);
    tree =
        new MountTree(1663, overlay, new PageFetcher(source, counters, new SourceLog("the model")));
    listing = new DirectoryListing(tree, new ListingCache(1 << 20));
    database = directory(5);
  }

  private Node.Directory directory(int oid) throws Exception {
    Files.createDirectory(overlay.resolve("" + oid));
    return tree.addDirectory(tree.root(), "" + oid, MountTree.DIRECTORY_MODE, oid);
  }

  private LocalFile file(String name) throws Exception {
    return Objects.requireNonNull(listing.content(database, name));
  }

  private void awaitPages(long pages) throws InterruptedException {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
    while (counters.aheadPages.sum() < pages && System.nanoTime() < deadline) {
      TimeUnit.MILLISECONDS.sleep(1);
    }
    assertEquals(pages, counters.aheadPages.sum());
  }

  private static byte[] expected(RelationFork fork, int blocks) {
    ByteBuffer pages = ByteBuffer.allocate(blocks * PAGE);
    for (int i = 0; i < blocks; i++) {
      ModelPageSource.fill(fork, i, pages);
    }
    return pages.array();
  }

  private static byte[] read(LocalFile file, int bytes) throws Exception {
    ByteBuffer into = ByteBuffer.allocate(bytes);
    file.read(0, into, null, Waiter.PATIENT);
    return into.array();
  }

  @Test
  void catalogsAreReadWithoutAskingAgain() throws Exception {
    FirstReads.fetch(listing, database);
    awaitPages(14 + 64);
    assertArrayEquals(expected(CLASSES, 14), read(file("1259"), 14 * PAGE));
    assertArrayEquals(expected(ATTRIBUTES, 64), read(file("1249"), 64 * PAGE));
    FirstReads.fetch(listing, database);
    assertEquals(14 + 64, source.pages.get());
  }

  @Test
  void whatWasWrittenStays() throws Exception {
    byte[] own = new byte[PAGE];
    own[17] = 1;
    file("1259").write(0, ByteBuffer.wrap(own), Waiter.PATIENT);
    file("1249").truncate(3L * PAGE, Waiter.PATIENT);
    FirstReads.fetch(listing, database);
    awaitPages(13 + 3);
    assertArrayEquals(own, read(file("1259"), PAGE));
    assertArrayEquals(expected(ATTRIBUTES, 3), read(file("1249"), 3 * PAGE));
  }

  @Test
  void neitherTemplatesNorManyDatabases() throws Exception {
    Node.Directory template = directory(1);
    List<Node.Directory> found = new ArrayList<>(List.of(template, database));
    for (int oid = 16385; oid < 16390; oid++) {
      found.add(directory(oid));
    }
    List<Node.Directory> inOrder = FirstReads.inOrder(found);
    assertEquals(template, inOrder.getLast());
    assertEquals(inOrder.subList(0, 4), FirstReads.chosen(inOrder));
    assertEquals(List.of(), FirstReads.chosen(List.of(template)));
  }

  @Test
  void aSourceThatFailsIsAskedAgainByWhoReads() throws Exception {
    ExpectedLog.containing("refused RelationFork[");
    assertTrue(file("1249").size() > 0); // the list is there
    CountDownLatch fails = new CountDownLatch(1);
    source.aheadFails = fails;
    FirstReads.fetch(listing, database);
    FutureTask<byte[]> reader = new FutureTask<>(() -> read(file("1259"), PAGE));
    Thread thread = new Thread(reader, "reader");
    thread.start();
    while (thread.getState() != Thread.State.TIMED_WAITING && !reader.isDone()) {
      Thread.onSpinWait(); // until it waits for the run that is under way
    }
    assertFalse(reader.isDone());
    fails.countDown();
    byte[] got = reader.get(30, TimeUnit.SECONDS);
    assertArrayEquals(expected(CLASSES, 1), got);
  }
}
