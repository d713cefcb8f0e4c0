package dev.varve.compute.agent;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.varve.api.v1.DatabaseDirectory;
import dev.varve.api.v1.ThinImageHeader;
import dev.varve.compute.fuse.FuseOptions;
import dev.varve.compute.image.ComputeDirectory;
import dev.varve.compute.mount.MountCounters;
import dev.varve.compute.page.PageSource;
import dev.varve.compute.page.PageSourceException;
import dev.varve.compute.page.RelationFork;
import dev.varve.compute.page.RelationList;
import dev.varve.compute.page.Waiter;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A copy whose source fails. */
@Timeout(60)
class EagerCopyTest {
  private static final int FIRST = 16384;
  private static final int FORKS = 1000;

  @TempDir Path temp;

  /** Refuses the first relation, and has nothing to say about the others. */
  private static final class Silent implements PageSource {
    private final CountDownLatch never = new CountDownLatch(1);

    @Override
    public ByteBuffer readPages(
        RelationFork fork, long firstBlock, int count, boolean ahead, Waiter waiter)
        throws IOException {
      if (fork.relation() != FIRST) {
        try {
          never.await();
        } catch (InterruptedException e) {
          throw new PageSourceException("interrupted");
        }
      }
      throw new PageSourceException("refused");
    }

    @Override
    public RelationList listRelations(int tablespace, int database, int position, Waiter waiter) {
      int[] numbers = new int[FORKS];
      int[] blocks = new int[FORKS];
      for (int i = 0; i < FORKS; i++) {
        numbers[i] = FIRST + i;
        blocks[i] = 1;
      }
      return new RelationList(numbers, new byte[FORKS], blocks, 0);
    }

    @Override
    public RelationList relation(int tablespace, int database, int relation, Waiter waiter) {
      return RelationList.EMPTY;
    }

    @Override
    public void close() {}
  }

  @Test
  void oneFailureEndsIt() throws IOException {
    ComputeDirectory directory = new ComputeDirectory(temp);
    Files.createDirectories(directory.data().resolve("base/5"));
    ThinImageHeader header =
        ThinImageHeader.newBuilder()
            .addDirectories(
                DatabaseDirectory.newBuilder()
                    .setTablespaceOid(ComputeDirectory.DEFAULT_TABLESPACE)
                    .setDatabaseOid(5))
            .build();
    VolumeOptions options =
        new VolumeOptions(directory, "main", 0, true, 0, 0, false, FuseOptions.DEFAULT, Set.of());
    IOException failure =
        assertThrows(
            IOException.class,
            () -> new EagerCopy(options, new Silent(), new MountCounters()).run(header));
    assertEquals("refused", failure.getMessage());
  }
}
