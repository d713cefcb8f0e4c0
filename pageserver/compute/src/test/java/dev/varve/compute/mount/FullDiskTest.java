package dev.varve.compute.mount;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.compute.fuse.FuseOptions;
import dev.varve.compute.fuse.ProcessOwner;
import dev.varve.compute.page.PageSource;
import dev.varve.compute.page.RelationFork;
import dev.varve.testkit.ExpectedLog;
import dev.varve.testkit.RootMount;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.api.io.TempDir;

/** A mount whose local disk is smaller than what is read and written. */
@EnabledIf(value = RootMount.CHECK, disabledReason = RootMount.NEEDS)
class FullDiskTest {
  private static final int PAGE = PageSource.PAGE_BYTES;
  private static final RelationFork LARGE = new RelationFork(1663, 5, 20000, 0);
  private static final int LARGE_BLOCKS = 12_000;
  private static final RelationFork SMALL = new RelationFork(1663, 5, 20001, 0);
  private static final long RESERVE = (64 << 20) / 16;

  @TempDir Path temp;
  private final ModelPageSource source = new ModelPageSource();
  private final MountCounters counters = new MountCounters();
  private Path disk;
  private Path database;
  private @Nullable PageMount mount;

  @BeforeEach
  void open() throws Exception {
    source.add(LARGE, LARGE_BLOCKS);
    source.add(SMALL, 10);
    disk = Files.createDirectory(temp.resolve("disk"));
    assertEquals(0, run("mount", "-t", "tmpfs", "-o", "size=64m", "disk", disk.toString()));
    Path point = Files.createDirectory(temp.resolve("base"));
    database = point.resolve("5");
    mount =
        PageMount.prepare(
                new PageMount.Plan(
                    1663,
                    point,
                    disk.resolve("overlay"),
                    temp.resolve("tree"),
                    List.of(new DatabaseDirectory("5", 5)),
                    List.of(
                        new SlruSegments(
                            "pg_xact",
                            new RelationFork(0, 0, 1, 0),
                            List.of(new SlruSegments.Run(0, 32)))),
                    ProcessOwner.user(),
                    ProcessOwner.group(),
                    new FuseOptions(4, 1 << 20, true, 1024),
                    0),
                source,
                counters,
                new SourceLog("the model"),
                false)
            .mount();
  }

  @AfterEach
  void close() throws Exception {
    if (mount != null) {
      mount.unmount();
    }
    assertEquals(0, run("umount", disk.toString()));
  }

  private static int run(String... command) throws Exception {
    return new ProcessBuilder(command).inheritIO().start().waitFor();
  }

  private long free() throws IOException {
    return Files.getFileStore(disk).getUsableSpace();
  }

  private void readAll() throws IOException {
    try (FileChannel from = FileChannel.open(database.resolve("20000"), StandardOpenOption.READ)) {
      ByteBuffer expected = ByteBuffer.allocate(PAGE);
      for (int block = 0; block < LARGE_BLOCKS; block++) {
        ByteBuffer page = ByteBuffer.allocate(PAGE);
        while (page.hasRemaining()) {
          assertTrue(from.read(page, (long) block * PAGE + page.position()) > 0);
        }
        ModelPageSource.fill(LARGE, block, expected.clear());
        assertArrayEquals(expected.array(), page.array(), "block " + block);
      }
    }
  }

  /** Has the kernel write back, and forget what it has read. */
  private void dropCaches() throws Exception {
    assertEquals(0, run("sync", "-f", database.toString()));
    Files.writeString(Path.of("/proc/sys/vm/drop_caches"), "1");
  }

  private void write(String name, int block, byte[] page) throws IOException {
    try (FileChannel to = FileChannel.open(database.resolve(name), StandardOpenOption.WRITE)) {
      assertEquals(page.length, to.write(ByteBuffer.wrap(page), (long) block * PAGE));
    }
  }

  @Test
  void whatIsReadLeavesRoomForWhatIsWritten() throws Exception {
    ExpectedLog.containing("PostgreSQL is told that no space is left");
    readAll();
    assertTrue(free() >= 2 * RESERVE);

    // What was read takes no new file's room.
    Files.createFile(database.resolve("n1"));
    assertEquals(0, run("fallocate", "-l", "1m", database.resolve("n1").toString()));
    long others = free() - RESERVE + PAGE;
    assertEquals(0, run("fallocate", "-l", "" + others, disk.resolve("other").toString()));

    // What cannot be refused later has room: whole pages and a part of one, both of them remote.
    byte[] written = new byte[PAGE];
    Arrays.fill(written, (byte) 7);
    for (int block = 0; block < 64; block++) {
      write("n1", block, written);
    }
    write("20001", 3, written);
    write("20001", 4, Arrays.copyOf(written, 100));
    dropCaches();
    assertArrayEquals(written, Arrays.copyOf(Files.readAllBytes(database.resolve("n1")), PAGE));
    byte[] small = Files.readAllBytes(database.resolve("20001"));
    ByteBuffer expected = ByteBuffer.allocate(10 * PAGE);
    for (int block = 0; block < 10; block++) {
      ModelPageSource.fill(SMALL, block, expected);
    }
    expected.put(3 * PAGE, written).put(4 * PAGE, written, 0, 100);
    assertArrayEquals(expected.array(), small);

    // What can be refused is.
    IOException create =
        assertThrows(IOException.class, () -> Files.createFile(database.resolve("n2")));
    assertTrue(create.getMessage().contains("No space left"), create.toString());
    assertFalse(Files.exists(database.resolve("n2")));
    assertEquals(1, run("fallocate", "-l", "1m", database.resolve("n1").toString()));

    // A segment of an SLRU is not: its failure may be a PANIC.
    Files.write(database.resolveSibling("pg_xact/0001"), written);

    // Nor is anything stored that was read since.
    long pages = source.pages.get();
    readAll();
    assertTrue(source.pages.get() > pages);
    assertEquals(0, counters.localWriteErrors());
    assertEquals(0, counters.sourceErrors());

    Files.delete(disk.resolve("other"));
    Files.createFile(database.resolve("n2"));
    assertEquals(0, run("fallocate", "-l", "1m", database.resolve("n2").toString()));
  }

  /** As when another process takes the reserve. */
  @Test
  void withoutAByteLeftPagesAreRead() throws Exception {
    ExpectedLog.containing("PostgreSQL is told that no space is left");
    assertEquals(0, run("fallocate", "-l", "" + free(), disk.resolve("other").toString()));
    readAll();
    assertEquals(0, counters.sourceErrors());
    assertEquals(0, counters.localWriteErrors());
    assertThrows(IOException.class, () -> Files.createFile(database.resolve("n1")));
  }
}
