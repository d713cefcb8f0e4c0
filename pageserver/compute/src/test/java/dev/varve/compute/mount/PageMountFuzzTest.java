package dev.varve.compute.mount;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.compute.fuse.FuseMountException;
import dev.varve.compute.fuse.FuseOptions;
import dev.varve.compute.fuse.ProcessOwner;
import dev.varve.compute.page.PageSource;
import dev.varve.compute.page.RelationFork;
import dev.varve.testkit.ExpectedLog;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The mount against a plain directory under random operations, and what it must do when its source
 * or its process fails.
 */
class PageMountFuzzTest {
  private static final int DATABASE = 5;
  private static final int OTHERS = 1_000_000;
  private static final int PAGE = PageSource.PAGE_BYTES;

  @TempDir Path temp;
  private final ModelPageSource source = new ModelPageSource();
  private final MountCounters counters = new MountCounters();
  private int mostNodes;
  private Path point;
  private PageMount mount;

  @BeforeEach
  void mountPoint() throws IOException {
    point = Files.createDirectory(temp.resolve("base"));
    Files.createDirectories(temp.resolve("overlay/5"));
    Files.writeString(temp.resolve("overlay/5/PG_VERSION"), "17\n");
  }

  @AfterEach
  void unmount() throws IOException {
    if (mount != null) {
      mount.unmount();
    }
  }

  private void open(boolean writeback, boolean resume) throws IOException {
    PageMount.Plan plan =
        new PageMount.Plan(
            1663,
            point,
            temp.resolve("overlay"),
            temp.resolve("1663.tree"),
            List.of(new DatabaseDirectory("5", DATABASE), new DatabaseDirectory("1", 1)),
            List.of(),
            ProcessOwner.user(),
            ProcessOwner.group(),
            new FuseOptions(4, 1 << 20, writeback, 1024),
            mostNodes);
    mount =
        TestMount.of(PageMount.prepare(plan, source, counters, new SourceLog("the model"), resume));
  }

  private static RelationFork fork(int relation) {
    return new RelationFork(1663, DATABASE, relation, 0);
  }

  private void relation(int relation, long blocks) {
    source.add(fork(relation), blocks);
  }

  private static byte[] content(int relation, int block) {
    ByteBuffer page = ByteBuffer.allocate(PAGE);
    ModelPageSource.fill(fork(relation), block, page);
    return page.array();
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5, 6})
  void behavesLikeAPlainDirectory(long seed) throws IOException {
    Random random = new Random(seed);
    Path plain = Files.createDirectory(temp.resolve("plain"));
    Files.writeString(plain.resolve("PG_VERSION"), "17\n");
    for (int relation = 16384; relation < 16390; relation++) {
      int blocks = random.nextInt(300);
      relation(relation, blocks);
      try (RandomAccessFile out =
          new RandomAccessFile(plain.resolve("" + relation).toFile(), "rw")) {
        for (int block = 0; block < blocks; block++) {
          out.write(content(relation, block));
        }
      }
    }
    if (seed % 3 == 0) { // a database whose list is not held
      for (int relation = 0; relation <= DirectoryListing.HELD_FORKS; relation++) {
        relation(OTHERS + relation, 1);
      }
    }
    mostNodes = seed > 3 ? 4 : 0; // files are parked all the time
    boolean writeback = seed % 2 == 0;
    open(writeback, false);
    Path mounted = point.resolve("5");
    List<String> names = new ArrayList<>();
    for (int relation = 16384; relation < 16390; relation++) {
      names.add("" + relation);
    }
    int made = 0;
    for (int step = 0; step < 600; step++) {
      String name = names.get(random.nextInt(names.size()));
      Path a = mounted.resolve(name);
      Path b = plain.resolve(name);
      long size = Files.size(b);
      assertEquals(size, Files.size(a), "seed " + seed + " step " + step);
      switch (random.nextInt(12)) {
        case 0, 1, 2 -> writeBoth(random, a, b, size, true);
        case 3 -> writeBoth(random, a, b, size, false);
        case 4 -> {
          long to =
              random.nextInt((int) size / PAGE + 3) * (long) PAGE
                  + (random.nextInt(4) == 0 ? 777 : 0);
          truncate(a, to);
          truncate(b, to);
        }
        case 5 -> {
          String to = "n" + made++;
          Files.createFile(mounted.resolve(to));
          Files.createFile(plain.resolve(to));
          names.add(to);
        }
        case 6 -> {
          if (names.size() > 4) {
            names.remove(name);
            Files.delete(a);
            Files.delete(b);
          }
        }
        case 7 -> {
          String to = random.nextBoolean() ? "r" + made++ : names.get(random.nextInt(names.size()));
          if (!to.equals(name)) {
            Files.move(a, mounted.resolve(to), StandardCopyOption.ATOMIC_MOVE);
            Files.move(b, plain.resolve(to), StandardCopyOption.ATOMIC_MOVE);
            names.remove(name);
            names.remove(to);
            names.add(to);
          }
        }
        case 8 -> {
          if (random.nextInt(10) == 0) {
            mount.unmount();
            mount = null;
            open(writeback, true);
          }
        }
        default -> readBoth(random, a, b, size, seed, step);
      }
    }
    mount.unmount();
    mount = null;
    open(writeback, true);
    Set<String> there = list(mounted);
    assertEquals(
        seed % 3 == 0,
        there.removeIf(name -> name.matches("\\d+") && Integer.parseInt(name) >= OTHERS));
    assertEquals(list(plain), there);
    for (String name : list(plain)) {
      assertArrayEquals(
          Files.readAllBytes(plain.resolve(name)),
          Files.readAllBytes(mounted.resolve(name)),
          "seed " + seed + " " + name);
    }
    assertEquals(0, counters.localWriteErrors());
  }

  private static Set<String> list(Path directory) throws IOException {
    Set<String> names = new TreeSet<>();
    try (var entries = Files.newDirectoryStream(directory)) {
      entries.forEach(entry -> names.add(entry.getFileName().toString()));
    }
    return names;
  }

  private static void truncate(Path path, long size) throws IOException {
    try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
      file.setLength(size);
    }
  }

  private static void writeBoth(Random random, Path a, Path b, long size, boolean aligned)
      throws IOException {
    long at =
        aligned
            ? random.nextInt((int) size / PAGE + 3) * (long) PAGE
            : random.nextInt((int) size + 9000);
    byte[] bytes = new byte[aligned ? PAGE * (1 + random.nextInt(20)) : 1 + random.nextInt(30000)];
    random.nextBytes(bytes);
    for (Path path : List.of(a, b)) {
      try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
        file.seek(at);
        file.write(bytes);
      }
    }
  }

  private static void readBoth(Random random, Path a, Path b, long size, long seed, int step)
      throws IOException {
    long at = random.nextInt((int) size + 1);
    int bytes = 1 + random.nextInt(random.nextInt(5) == 0 ? 2_000_000 : 20000);
    assertArrayEquals(read(b, at, bytes), read(a, at, bytes), "seed " + seed + " step " + step);
  }

  private static byte[] read(Path path, long at, int bytes) throws IOException {
    try (FileChannel file = FileChannel.open(path, StandardOpenOption.READ)) {
      ByteBuffer into = ByteBuffer.allocate(bytes);
      while (into.hasRemaining()) {
        int got = file.read(into, at + into.position());
        if (got < 0) {
          break;
        }
      }
      return java.util.Arrays.copyOf(into.array(), into.position());
    }
  }

  @Test
  void aSegmentIsAGigabyteAndTheNextOneIsThere() throws IOException {
    relation(20000, 131_072 + 3);
    open(true, false);
    assertEquals(1L << 30, Files.size(point.resolve("5/20000")));
    assertEquals(3L * PAGE, Files.size(point.resolve("5/20000.1")));
    assertFalse(Files.exists(point.resolve("5/20000.2")));
    assertArrayEquals(content(20000, 131_073), read(point.resolve("5/20000.1"), PAGE, PAGE));
  }

  @Test
  void readingInOrderFetchesLongRunsAndEachPageOnce() throws IOException {
    relation(20000, 4000);
    open(true, false);
    byte[] all = Files.readAllBytes(point.resolve("5/20000"));
    assertEquals(4000L * PAGE, all.length);
    assertArrayEquals(
        content(20000, 3999), java.util.Arrays.copyOfRange(all, 3999 * PAGE, 4000 * PAGE));
    assertEquals(4000, source.pages.get());
    assertTrue(source.requests.get() < 120, source.requests.get() + " requests");
    assertTrue(counters.aheadPages() > 2000, counters.aheadPages() + " pages ahead");
  }

  @Test
  void aFailingSourceReadsAsErrorNeverAsAbsent() throws IOException {
    relation(20000, 10);
    ExpectedLog.containing("refused the list of ");
    ExpectedLog.containing("refused RelationFork[");
    source.failing = true;
    open(true, false);
    IOException listing =
        assertThrows(
            IOException.class, () -> Files.readAttributes(point.resolve("5/20000"), "size"));
    assertFalse(listing instanceof java.nio.file.NoSuchFileException, listing.toString());
    source.failing = false;
    assertEquals(10L * PAGE, Files.size(point.resolve("5/20000")));
    source.failing = true;
    IOException reading =
        assertThrows(IOException.class, () -> read(point.resolve("5/20000"), 0, PAGE));
    assertTrue(reading.getMessage().contains("Input/output error"), reading.toString());
    source.failing = false;
    assertArrayEquals(content(20000, 0), read(point.resolve("5/20000"), 0, PAGE));
  }

  @Test
  void anUnlinkedFileStaysReadableWhileItIsOpen() throws IOException {
    relation(20000, 10);
    open(true, false);
    try (FileChannel file = FileChannel.open(point.resolve("5/20000"), StandardOpenOption.READ)) {
      Files.delete(point.resolve("5/20000"));
      Files.createFile(point.resolve("5/20000"));
      assertEquals(10L * PAGE, file.size());
      ByteBuffer page = ByteBuffer.allocate(PAGE);
      assertEquals(PAGE, file.read(page, 7 * PAGE));
      assertArrayEquals(content(20000, 7), page.array());
    }
    assertEquals(0, Files.size(point.resolve("5/20000")));
  }

  @Test
  void aMountInUseIsNotUnmounted() throws IOException {
    relation(20000, 10);
    open(true, false);
    try (FileChannel file = FileChannel.open(point.resolve("5/20000"), StandardOpenOption.READ)) {
      IOException busy = assertThrows(FuseMountException.class, () -> mount.unmount());
      assertTrue(busy.getMessage().contains("still in use"), busy.getMessage());
      assertEquals(PAGE, file.read(ByteBuffer.allocate(PAGE), 0));
    }
  }

  @Test
  void aDirectoryOfADatabaseCanBeDroppedAndMadeAgain() throws IOException {
    relation(20000, 10);
    open(true, false);
    Path database = point.resolve("5");
    for (String name : list(database)) {
      Files.delete(database.resolve(name));
    }
    Files.delete(database);
    mount.unmount();
    mount = null;
    open(true, true);
    assertFalse(Files.exists(database));
    Files.createDirectory(database);
    assertEquals(new TreeSet<>(), list(database));
  }
}
