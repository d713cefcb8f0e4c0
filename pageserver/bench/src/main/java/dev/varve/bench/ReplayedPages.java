package dev.varve.bench;

import dev.varve.engine.postgres.ForkNumber;
import dev.varve.engine.postgres.Page;
import dev.varve.engine.postgres.RelFileLocator;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Pages in memory over a base backup: what a buffer cache for the whole database is to stock
 * PostgreSQL. A page is read from the backup when it is first asked for, and is zeros when the
 * backup has none. Not thread-safe.
 */
final class ReplayedPages implements AutoCloseable {
  private static final int BLOCKS_PER_SEGMENT = 131_072;
  private static final int SLRU_PAGES_PER_SEGMENT = 32;
  private static final String[] SLRUS = {
    "pg_xact", "pg_multixact/offsets", "pg_multixact/members", "pg_commit_ts"
  };

  private record ForkId(int tablespace, int database, int relation, int fork) {
    boolean is(int itsTablespace, int itsDatabase, int itsRelation, int itsFork) {
      return relation == itsRelation
          && fork == itsFork
          && database == itsDatabase
          && tablespace == itsTablespace;
    }
  }

  /** A fork's pages, and how many of them the backup still stands for. */
  private static final class Fork {
    private final ForkId id;
    private byte[] @Nullable [] pages = new byte[64][];
    private MemorySegment backup = MemorySegment.NULL;
    private int backupBlocks;

    private Fork(ForkId id) {
      this.id = id;
    }
  }

  private final Path backup;
  private final Arena maps = Arena.ofConfined();
  private final Map<ForkId, Fork> forks = new HashMap<>();

  /** The fork that was asked for last of all those with the same low bits of the number. */
  private final @Nullable Fork[] recent = new Fork[256];

  private final Map<Long, byte[]> slruPages = new HashMap<>();

  ReplayedPages(Path backup) {
    this.backup = backup;
  }

  /** A block's page, which the caller changes in place. */
  byte[] page(int tablespace, int database, int relation, int fork, int block) {
    Fork in = fork(tablespace, database, relation, fork);
    if (block >= in.pages.length) {
      in.pages = Arrays.copyOf(in.pages, Math.max(block + 1, in.pages.length * 2));
    }
    byte[] page = in.pages[block];
    if (page == null) {
      page = new byte[Page.SIZE];
      if (block < in.backupBlocks) {
        copy(in.backup, block, page);
      }
      in.pages[block] = page;
    }
    return page;
  }

  private Fork fork(int tablespace, int database, int relation, int fork) {
    int slot = relation + fork & recent.length - 1;
    Fork found = recent[slot];
    if (found == null || !found.id.is(tablespace, database, relation, fork)) {
      found = forks.computeIfAbsent(new ForkId(tablespace, database, relation, fork), this::open);
      recent[slot] = found;
    }
    return found;
  }

  private Fork open(ForkId id) {
    Fork opened = new Fork(id);
    String directory =
        switch (id.tablespace) {
          case RelFileLocator.DEFAULT_TABLESPACE -> "base/" + id.database;
          case RelFileLocator.GLOBAL_TABLESPACE -> "global";
          default -> throw new IllegalStateException("a load in a tablespace of its own");
        };
    Path file = backup.resolve(directory + "/" + id.relation + ForkNumber.suffix(id.fork));
    if (Files.exists(file)) {
      opened.backup = map(file);
      opened.backupBlocks = (int) (opened.backup.byteSize() / Page.SIZE);
      if (opened.backupBlocks == BLOCKS_PER_SEGMENT) {
        throw new IllegalStateException(file + " may go on in another segment");
      }
    }
    return opened;
  }

  private MemorySegment map(Path file) {
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      return channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), maps);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static void copy(MemorySegment from, int block, byte[] page) {
    MemorySegment.copy(from, ValueLayout.JAVA_BYTE, (long) block * Page.SIZE, page, 0, Page.SIZE);
  }

  /** What a fork loses when it ends at {@code blocks}. */
  void truncate(int tablespace, int database, int relation, int fork, int blocks) {
    Fork in = fork(tablespace, database, relation, fork);
    in.backupBlocks = Math.min(in.backupBlocks, blocks);
    if (blocks < in.pages.length) {
      Arrays.fill(in.pages, blocks, in.pages.length, null);
    }
  }

  /** A page of one of the four SLRUs, numbered as in {@code ClusterEffects}. */
  byte[] slruPage(int slru, int page) {
    long key = (long) slru << 32 | page;
    byte[] found = slruPages.get(key);
    if (found == null) {
      found = new byte[Page.SIZE];
      String name = "%s/%04X".formatted(SLRUS[slru], page / SLRU_PAGES_PER_SEGMENT);
      Path file = backup.resolve(name);
      if (Files.exists(file)) {
        MemorySegment segment = map(file);
        int block = page % SLRU_PAGES_PER_SEGMENT;
        if (block < segment.byteSize() / Page.SIZE) {
          copy(segment, block, found);
        }
      }
      slruPages.put(key, found);
    }
    return found;
  }

  @Override
  public void close() {
    maps.close();
  }
}
