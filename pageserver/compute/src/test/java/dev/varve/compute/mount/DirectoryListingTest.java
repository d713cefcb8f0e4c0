package dev.varve.compute.mount;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.compute.fuse.FuseDirectoryEntry;
import dev.varve.compute.fuse.FuseOptions;
import dev.varve.compute.page.PageSource;
import dev.varve.compute.page.RelationFork;
import dev.varve.compute.page.Waiter;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Lists come while the image is laid out, in whatever order the two end. */
class DirectoryListingTest {
  private static final RelationFork CLASSES = new RelationFork(1663, 5, 1259, 0);
  private static final RelationFork LAID = new RelationFork(1663, 5, 16400, 0);

  @TempDir Path directory;

  private final ModelPageSource source = new ModelPageSource();
  private final MountCounters counters = new MountCounters();

  @Test
  void theListsAreAskedForBeforeThereIsAnyFile() throws Exception {
    source.add(CLASSES, 14);
    Path overlay = directory.resolve("overlay");
    PageMount.prepare(
        new PageMount.Plan(
            1663,
            directory.resolve("base"),
            overlay,
            directory.resolve("tree"),
            List.of(new DatabaseDirectory("1", 1), new DatabaseDirectory("5", 5)),
            List.of(),
            0,
            0,
            FuseOptions.DEFAULT,
            0),
        source,
        counters,
        new SourceLog("the model"),
        false);
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
    while (counters.listings.sum() < 2 && System.nanoTime() < deadline) {
      TimeUnit.MILLISECONDS.sleep(1);
    }
    assertEquals(2, counters.listings.sum());
    assertFalse(Files.exists(overlay));
  }

  @Test
  void theImagesFilesCountWhateverTheListSays() throws Exception {
    source.add(CLASSES, 14);
    source.add(LAID, 30);
    MountTree tree =
        new MountTree(
            1663, directory, new PageFetcher(source, counters, new SourceLog("the model")));
    Node.Directory database = tree.addDirectory(tree.root(), "5", MountTree.DIRECTORY_MODE, 5);
    DirectoryListing listing = new DirectoryListing(tree, new ListingCache(1 << 20));
    assertNotNull(listing.held(database, Waiter.PATIENT));
    assertNotNull(listing.content(database, "16400"));
    Files.createDirectory(directory.resolve("5"));
    Files.writeString(directory.resolve("5/PG_VERSION"), "17\n");
    Files.writeString(directory.resolve("5/16400"), "laid by the image");
    listing.adopt();
    assertEquals(3, size(listing, database, "PG_VERSION"));
    assertEquals(17, size(listing, database, "16400"));
    assertEquals(14L * PageSource.PAGE_BYTES, size(listing, database, "1259"));
    assertEquals(3, database.children.size());
  }

  /** Members, whose page numbers wrapped: the last segment of the circle is a short one. */
  @Test
  void theSourceHasTheOldSegmentsOfAnSlru() throws Exception {
    RelationFork members = new RelationFork(0, 0, 3, 0);
    MountTree tree =
        new MountTree(0, directory, new PageFetcher(source, counters, new SourceLog("the model")));
    Node.Directory slru = tree.addDirectory(tree.root(), "members", MountTree.DIRECTORY_MODE, 0);
    slru.slru =
        new SlruSegments(
            "members",
            members,
            List.of(new SlruSegments.Run(0, 64), new SlruSegments.Run(0x14077 * 32L, 32 + 6)));
    DirectoryListing listing = new DirectoryListing(tree, new ListingCache(1 << 20));
    Files.createDirectory(directory.resolve("members"));
    Files.writeString(directory.resolve("members/0002"), "laid by the image");
    listing.adopt();
    ListingStream stream = new ListingStream(tree, listing, slru);
    assertEquals(List.of("0002", "0000", "0001", "14077", "14078"), names(stream));
    assertNull(stream.entry(ListingStream.DOTS + 5, Waiter.PATIENT)); // the end stays the end
    assertEquals(32L * PageSource.PAGE_BYTES, size(listing, slru, "14077"));
    assertEquals(6L * PageSource.PAGE_BYTES, size(listing, slru, "14078"));
    assertEquals(17, size(listing, slru, "0002"));
    for (String other : List.of("0003", "14079", "00000", "000", "14076", "0A0g", "PG_VERSION")) {
      assertNull(listing.content(slru, other), other);
    }
    source.add(members, 0x14078 * 32L + 6);
    LocalFile last = Objects.requireNonNull(listing.content(slru, "14078"));
    ByteBuffer read = ByteBuffer.allocate(PageSource.PAGE_BYTES);
    last.read(5L * PageSource.PAGE_BYTES, read, null, Waiter.PATIENT);
    ByteBuffer expected = ByteBuffer.allocate(PageSource.PAGE_BYTES);
    ModelPageSource.fill(members, 0x14078 * 32L + 5, expected);
    assertArrayEquals(expected.array(), read.array());
    assertEquals(1, source.pages.get());

    // What was removed here is not there after a restart either.
    slru.children.remove("0001");
    slru.removed.add(slru.key("0001"));
    Path state = directory.resolve("state");
    OverlayState.save(tree, state);
    MountTree again =
        new MountTree(0, directory, new PageFetcher(source, counters, new SourceLog("the model")));
    OverlayState.load(again, state);
    Node.Directory resumed = (Node.Directory) again.root().children.get("members");
    assertNotNull(resumed);
    resumed.slru = slru.slru;
    assertEquals(
        Set.of("0000", "0002", "14077", "14078"),
        new HashSet<>(
            names(
                new ListingStream(
                    again, new DirectoryListing(again, new ListingCache(1 << 20)), resumed))));
  }

  private static long size(DirectoryListing listing, Node.Directory database, String name)
      throws Exception {
    return Objects.requireNonNull(listing.content(database, name)).size();
  }

  private static List<String> names(ListingStream stream) throws Exception {
    List<String> found = new ArrayList<>();
    for (long i = ListingStream.DOTS; ; i++) {
      FuseDirectoryEntry entry = stream.entry(i, Waiter.PATIENT);
      if (entry == null) {
        return found;
      }
      found.add(entry.name());
    }
  }

  @Test
  void aLargeDatabaseIsReadByPagesAndAskedForByRelation() throws Exception {
    int relations = 100_000;
    for (int i = 0; i < relations; i++) {
      source.add(new RelationFork(1663, 5, 20_000 + i, 0), i % 3);
    }
    source.add(new RelationFork(1663, 5, 20_000, 2), 1);
    source.add(new RelationFork(1663, 5, (int) 3_000_000_000L, 0), 200_000);
    MountTree tree =
        new MountTree(1663, directory, new PageFetcher(source, counters, new SourceLog("x")));
    ListingCache cache = new ListingCache(1 << 20);
    Node.Directory database = tree.addDirectory(tree.root(), "5", MountTree.DIRECTORY_MODE, 5);
    DirectoryListing listing = new DirectoryListing(tree, cache);
    assertNull(listing.held(database, Waiter.PATIENT));
    assertEquals(0, cache.bytes());

    assertEquals(2L * PageSource.PAGE_BYTES, size(listing, database, "20005"));
    assertEquals(PageSource.PAGE_BYTES, size(listing, database, "20000_vm"));
    assertNull(listing.content(database, "20000_fsm"));
    assertNull(listing.content(database, "20000.1"));
    assertNull(listing.content(database, "t3_20000"));
    assertNull(listing.content(database, "020000"));
    assertEquals(
        (200_000L - 131_072) * PageSource.PAGE_BYTES, size(listing, database, "3000000000.1"));
    assertEquals(3, source.relations.get());
    assertEquals(5, tree.size()); // the root, the directory, and three files

    List<String> names = names(new ListingStream(tree, listing, database));
    assertEquals(relations + 3, names.size());
    assertEquals(names.size(), new HashSet<>(names).size());
    assertEquals(5, tree.size());
    database.removed.add(RelationNames.parse("20001"));
    ListingStream again = new ListingStream(tree, listing, database);
    assertEquals(relations + 2, names(again).size());
    assertEquals(names(again), names(again));
  }

  @Test
  void listsMakeRoomForEachOther() throws Exception {
    for (int oid = 5; oid < 105; oid++) {
      for (int relation = 1; relation <= 100; relation++) {
        source.add(new RelationFork(1663, oid, relation, 0), 1);
      }
    }
    MountTree tree =
        new MountTree(1663, directory, new PageFetcher(source, counters, new SourceLog("x")));
    ListingCache cache = new ListingCache(20_000);
    DirectoryListing listing = new DirectoryListing(tree, cache);
    List<Node.Directory> databases = new ArrayList<>();
    for (int oid = 5; oid < 105; oid++) {
      databases.add(tree.addDirectory(tree.root(), "" + oid, MountTree.DIRECTORY_MODE, oid));
    }
    for (int round = 0; round < 2; round++) {
      for (Node.Directory database : databases) {
        assertNotNull(listing.held(database, Waiter.PATIENT));
        assertTrue(cache.bytes() <= 20_000, cache.bytes() + " bytes");
      }
    }
    assertEquals(200, source.lists.get());
    assertNotNull(listing.held(databases.getLast(), Waiter.PATIENT));
    assertEquals(200, source.lists.get());
    listing.close();
    assertEquals(0, cache.bytes());
  }
}
