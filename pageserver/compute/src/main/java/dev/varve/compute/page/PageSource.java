package dev.varve.compute.page;

import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * Pages and relation lists of one timeline at one LSN.
 *
 * <p>Thread-safe. Every call ends within a time limit of the source's own, retries included. The
 * same question always has the same answer.
 */
public interface PageSource extends AutoCloseable {
  int PAGE_BYTES = 8192;

  /** The longest run of one call, in blocks. */
  int MAX_RUN_BLOCKS = 512;

  /**
   * A run of pages, {@code count * 8192} bytes from the answer's position to its limit.
   *
   * @param firstBlock unsigned 32 bits
   * @param count 1 to {@link #MAX_RUN_BLOCKS}
   * @param ahead nobody waits yet; such reads never delay others
   * @throws AbandonedException when {@code waiter} gave up
   * @throws PageSourceException when the pages cannot be had
   */
  ByteBuffer readPages(RelationFork fork, long firstBlock, int count, boolean ahead, Waiter waiter)
      throws IOException;

  /**
   * The forks of one database in one tablespace, a page at a time.
   *
   * @param position 0, or where the page before says that the list goes on
   * @throws IOException as {@link #readPages}
   */
  RelationList listRelations(int tablespace, int database, int position, Waiter waiter)
      throws IOException;

  /**
   * The forks of one relation; none when it does not exist.
   *
   * @throws IOException as {@link #readPages}
   */
  RelationList relation(int tablespace, int database, int relation, Waiter waiter)
      throws IOException;

  @Override
  void close();
}
