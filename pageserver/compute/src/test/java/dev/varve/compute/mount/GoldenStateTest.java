package dev.varve.compute.mount;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.api.v1.ThinImageHeader;
import dev.varve.compute.page.RelationFork;
import dev.varve.format.Envelope;
import dev.varve.format.FileKind;
import dev.varve.format.FormatException;
import dev.varve.testkit.GoldenFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The saved state of mounts of every released version is read, and that of this one written ({@link
 * GoldenFile}).
 */
final class GoldenStateTest {
  private static final RelationFork CLASSES = new RelationFork(1663, 5, 1259, 0);

  @TempDir Path directory;

  private MountTree tree() {
    return new MountTree(
        1663,
        directory,
        new PageFetcher(new ModelPageSource(), new MountCounters(), new SourceLog("the model")));
  }

  private MountTree filled() throws IOException {
    MountTree tree = tree();
    Node.Directory database = tree.addDirectory(tree.root(), "5", MountTree.DIRECTORY_MODE, 5);
    Files.createDirectories(directory.resolve("5"));
    Path version = directory.resolve("5/PG_VERSION");
    Files.writeString(version, "17\n");
    Node.File local = tree.addLocalFile(database, "PG_VERSION", 0600, version, 3);
    Node.File segment = tree.addSegment(database, new LocalFile.Source(CLASSES, 0), "1259", 14);
    Node.Link link = tree.addLink(tree.root(), "16384", "/srv/place");
    database.removed.add(RelationNames.parse("16400"));
    database.modifiedNanos = 1;
    local.modifiedNanos = 2;
    segment.modifiedNanos = 3;
    link.modifiedNanos = 4;
    return tree;
  }

  @Test
  void trees() throws IOException {
    Path state = directory.resolve("tree");
    OverlayState.save(filled(), state);
    byte[] written = Files.readAllBytes(state);
    byte[] current = GoldenFile.ofCurrent("mount", FileKind.MOUNT.version(), written);
    assertArrayEquals(current, written);
    for (int version = FileKind.MOUNT.oldestRead();
        version <= FileKind.MOUNT.version();
        version++) {
      Files.write(state, GoldenFile.read("mount", version));
      MountTree loaded = tree();
      OverlayState.load(loaded, state);
      assertEquals(5, loaded.size());
      Path again = directory.resolve("again");
      OverlayState.save(loaded, again);
      assertArrayEquals(current, Files.readAllBytes(again));
    }
  }

  @Test
  void parkedFiles() throws IOException {
    MountTree tree = filled();
    Node.Directory database = (Node.Directory) tree.root().children.get("5");
    Node.File segment = (Node.File) database.children.get("1259");
    OverlayState.park(tree, segment);
    Path state = directory.resolve("5/1259.state");
    byte[] written = Files.readAllBytes(state);
    byte[] current = GoldenFile.ofCurrent("parked-file", FileKind.PARKED_FILE.version(), written);
    assertArrayEquals(current, written);
    for (int version = FileKind.PARKED_FILE.oldestRead();
        version <= FileKind.PARKED_FILE.version();
        version++) {
      Files.write(state, GoldenFile.read("parked-file", version));
      Node.File found = OverlayState.unpark(tree, database, "1259");
      assertEquals(3, found.modifiedNanos);
      assertEquals(14 * 8192L, found.content.size());
    }
  }

  /** As the agent writes it beside what the image laid out. */
  @Test
  void headersOfImages() throws IOException {
    ThinImageHeader header =
        ThinImageHeader.newBuilder().setPostgresMajor(17).setDataChecksums(true).build();
    byte[] written = Envelope.seal(FileKind.IMAGE_HEADER, header.toByteArray());
    byte[] current = GoldenFile.ofCurrent("image-header", FileKind.IMAGE_HEADER.version(), written);
    assertArrayEquals(current, written);
    for (int version = FileKind.IMAGE_HEADER.oldestRead();
        version <= FileKind.IMAGE_HEADER.version();
        version++) {
      byte[] golden = GoldenFile.read("image-header", version);
      assertEquals(
          header, ThinImageHeader.parseFrom(Envelope.body(FileKind.IMAGE_HEADER, "image", golden)));
    }
  }

  @Test
  void whatCannotBeReadSaysWhy() throws IOException {
    Path state = directory.resolve("tree");
    OverlayState.save(filled(), state);
    byte[] right = Files.readAllBytes(state);
    byte[] body = Envelope.body(FileKind.MOUNT, "tree", right);
    int newer = FileKind.MOUNT.version() + 1;
    int older = FileKind.MOUNT.oldestRead() - 1;
    refused(
        FormatException.TooNew.class,
        Envelope.seal(FileKind.MOUNT, new Envelope.Head(newer, newer, 0, 0), body));
    refused(
        FormatException.TooOld.class,
        Envelope.seal(FileKind.MOUNT, new Envelope.Head(older, older, 0, 0), body));
    byte[] damaged = right.clone();
    damaged[40] ^= 1;
    refused(FormatException.Damaged.class, damaged);
  }

  private void refused(Class<? extends FormatException> cause, byte[] bytes) throws IOException {
    Path state = directory.resolve("tree");
    Files.write(state, bytes);
    IOException e = assertThrows(IOException.class, () -> OverlayState.load(tree(), state));
    assertInstanceOf(cause, e.getCause());
    assertTrue(String.valueOf(e.getMessage()).contains(state.toString()), e::getMessage);
  }
}
