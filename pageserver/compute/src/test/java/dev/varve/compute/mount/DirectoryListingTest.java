package dev.varve.compute.mount;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import dev.varve.compute.fuse.FuseOptions;
import dev.varve.compute.page.PageSource;
import dev.varve.compute.page.RelationFork;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
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
            0,
            0,
            FuseOptions.DEFAULT),
        source,
        counters,
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
    MountTree tree = new MountTree(1663, directory, new PageFetcher(source, counters));
    Node.Directory database = tree.addDirectory(tree.root(), "5", MountTree.DIRECTORY_MODE, 5);
    DirectoryListing listing = new DirectoryListing(tree);
    listing.await(database);
    Files.createDirectory(directory.resolve("5"));
    Files.writeString(directory.resolve("5/PG_VERSION"), "17\n");
    Files.writeString(directory.resolve("5/16400"), "laid by the image");
    listing.adopt();
    assertEquals(3, size(tree, database, "PG_VERSION"));
    assertEquals(17, size(tree, database, "16400"));
    assertEquals(14L * PageSource.PAGE_BYTES, size(tree, database, "1259"));
    assertEquals(3, database.children.size());
  }

  private static long size(MountTree tree, Node.Directory database, String name) {
    return Objects.requireNonNull(tree.content(database, name)).size();
  }
}
