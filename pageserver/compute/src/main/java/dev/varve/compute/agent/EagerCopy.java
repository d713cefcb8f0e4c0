package dev.varve.compute.agent;

import dev.varve.api.v1.DatabaseDirectory;
import dev.varve.api.v1.ThinImageHeader;
import dev.varve.compute.mount.MountCounters;
import dev.varve.compute.page.PageSource;
import dev.varve.compute.page.RelationFork;
import dev.varve.compute.page.RelationList;
import dev.varve.compute.page.Waiter;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.Semaphore;

/** Copies every relation of a timeline into a data directory: the start that needs no mount. */
final class EagerCopy {
  private static final int SEGMENT_BLOCKS = 131_072;
  private static final int RUN_BLOCKS = 128;
  private static final int PARALLEL_RUNS = 8;

  private final VolumeOptions options;
  private final PageSource source;
  private final MountCounters counters;
  private final Semaphore running = new Semaphore(PARALLEL_RUNS);

  EagerCopy(VolumeOptions options, PageSource source, MountCounters counters) {
    this.options = options;
    this.source = source;
    this.counters = counters;
  }

  void run(ThinImageHeader header) throws IOException {
    try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
      for (DatabaseDirectory entry : header.getDirectoriesList()) {
        Path directory =
            options
                .directory()
                .tablespace(header, entry.getTablespaceOid())
                .resolve(Volume.inTablespace(header, entry));
        RelationList page = RelationList.EMPTY;
        do {
          page =
              source.listRelations(
                  entry.getTablespaceOid(),
                  entry.getDatabaseOid(),
                  page.nextPosition(),
                  Waiter.PATIENT);
          copy(threads, directory, entry, page);
        } while (page.nextPosition() != 0);
      }
    } catch (ExecutionException e) {
      throw e.getCause() instanceof IOException io ? io : new IOException(e.getCause());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted while copying", e);
    }
  }

  /** Copies one page of a list. */
  private void copy(
      ExecutorService threads, Path directory, DatabaseDirectory database, RelationList list)
      throws ExecutionException, InterruptedException {
    List<Future<?>> runs = new ArrayList<>();
    for (int i = 0; i < list.size(); i++) {
      int at = i;
      runs.add(
          threads.submit(() -> {
            running.acquire(); // before a file is open: there may be more than a process may have
            try {
              copy(
                  directory,
                  fork(database, list.relation(at), list.fork(at)),
                  fork(database, list.relation(at), list.sourceFork(at)),
                  list.blocks(at));
            } finally {
              running.release();
            }
            return null;
          }));
    }
    try {
      for (Future<?> run : runs) {
        run.get();
      }
    } catch (ExecutionException e) {
      threads.shutdownNow(); // the others, of which each may wait as long in vain
      throw e;
    }
  }

  private static RelationFork fork(DatabaseDirectory database, int relation, int fork) {
    return new RelationFork(database.getTablespaceOid(), database.getDatabaseOid(), relation, fork);
  }

  private void copy(Path directory, RelationFork named, RelationFork from, long blocks)
      throws IOException {
    long block = 0;
    int segment = 0;
    do {
      Path file = directory.resolve(named.fileName(segment));
      long end = Math.min(blocks, (segment + 1L) * SEGMENT_BLOCKS);
      try (FileChannel to =
          FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
        while (block < end) {
          int count = (int) Math.min(RUN_BLOCKS, end - block);
          ByteBuffer pages = source.readPages(from, block, count, true, Waiter.PATIENT);
          while (pages.hasRemaining()) {
            to.write(pages);
          }
          counters.copied(count);
          block += count;
        }
      }
      Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-------"));
      if (options.chown()) {
        Files.setAttribute(file, "unix:uid", options.user());
        Files.setAttribute(file, "unix:gid", options.group());
      }
      segment++;
    } while (block < blocks);
  }
}
