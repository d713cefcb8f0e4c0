package dev.varve.compute.volume;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Deletion as root in a directory that belongs to somebody else. */
class FileTreeTest {
  @TempDir Path directory;

  @Test
  void everythingInItGoesAndNothingThatALinkLeadsTo() throws Exception {
    Path tree = Files.createDirectories(directory.resolve("tree/a/b")).getParent().getParent();
    Path kept = Files.writeString(directory.resolve("kept"), "kept");
    Path other = Files.createDirectories(directory.resolve("other"));
    Files.writeString(other.resolve("file"), "kept");
    Files.createSymbolicLink(tree.resolve("a/link"), kept);
    Files.createSymbolicLink(tree.resolve("a/b/directory"), other);
    Files.writeString(tree.resolve("a/b/file"), "");
    FileTree.delete(tree);
    FileTree.delete(tree);
    FileTree.delete(directory.resolve("no/such/tree"));
    assertFalse(Files.exists(tree));
    assertEquals("kept", Files.readString(kept));
    assertEquals("kept", Files.readString(other.resolve("file")));
    Path link = Files.createSymbolicLink(directory.resolve("link"), other);
    FileTree.delete(link);
    assertFalse(Files.exists(link));
    assertEquals("kept", Files.readString(other.resolve("file")));
  }

  /** What PostgreSQL's user may make; the path of a directory made in one go is 4 KiB at most. */
  @Test
  void directoriesMayBeNestedWithoutEnd() throws Exception {
    Path tree = Files.createDirectory(directory.resolve("0"));
    for (int i = 1; i <= 4; i++) {
      Path above = directory.resolve("" + i);
      Files.move(tree, Files.createDirectories(above.resolve("d/".repeat(1900))).resolve("d"));
      tree = above;
    }
    FileTree.delete(tree);
    assertFalse(Files.exists(tree));
  }

  @Test
  void whatHasAMountInItIsLeftAlone() {
    IOException refusal = assertThrows(IOException.class, () -> FileTree.delete(Path.of("/proc")));
    assertTrue(refusal.getMessage().contains("mounts are left in /proc"), refusal.getMessage());
  }
}
