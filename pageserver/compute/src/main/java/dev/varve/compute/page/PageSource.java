package dev.varve.compute.page;

import java.nio.ByteBuffer;
import java.util.List;

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
   */
  ByteBuffer readPages(RelationFork fork, long firstBlock, int count, boolean ahead)
      throws PageSourceException;

  /** Every fork of one database in one tablespace. */
  List<RelationSize> listRelations(int tablespace, int database) throws PageSourceException;

  @Override
  void close();
}
