package dev.varve.compute.settings;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;

/**
 * The subscriptions of a data directory that was just laid out. They belong to the original: a copy
 * that used them would take rows from their publishers that the original then lacks, and would drop
 * their slots. So each row of {@code pg_subscription}, a shared catalog and therefore a local file,
 * is rewritten in place before PostgreSQL starts; see docs/decisions/0060-copy-isolation.md.
 *
 * <p>Nothing of a connection string is left, for it may hold the publisher's password: not in rows
 * that are dead, not where no row is any more, and not in the TOAST table, where a long one is.
 */
public final class Subscriptions {
  private static final int PAGE_BYTES = 8192;

  /** PostgreSQL 17 src/include/storage/bufpage.h. */
  private static final int LOWER = 12;

  private static final int SPECIAL = 16;
  private static final int FIRST_LINE_POINTER = 24;
  private static final int NORMAL = 1;

  /** Of a tuple's header: where its columns begin. */
  private static final int HEADER_BYTES = 22;

  /** {@code chunk_id} and {@code chunk_seq}: src/backend/catalog/toasting.c. */
  private static final int CHUNK_SEQ_BYTES = 8;

  private final int major;

  /** Values in the TOAST table that are not connection strings. */
  private final Set<Integer> kept = new HashSet<>();

  private Subscriptions(int major) {
    this.major = major;
  }

  /** Holds back every subscription of a data directory that PostgreSQL has not run on. */
  public static void hold(Path data, int major, boolean checksums) throws IOException {
    Subscriptions subscriptions = new Subscriptions(major);
    rewrite(
        SharedCatalog.file(data, SharedCatalog.PG_SUBSCRIPTION), checksums, subscriptions::held);
    rewrite(
        SharedCatalog.file(data, SharedCatalog.PG_SUBSCRIPTION_TOAST),
        checksums,
        subscriptions::chunk);
  }

  /** What is to be in a tuple's place, not longer than it. */
  private interface Rewriting {
    byte[] of(byte[] tuple);
  }

  private static void rewrite(Path file, boolean checksums, Rewriting tuples) throws IOException {
    try (FileChannel channel =
        FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
      byte[] bytes = new byte[PAGE_BYTES];
      ByteBuffer page = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
      long blocks = channel.size() / PAGE_BYTES;
      for (int block = 0; block < blocks; block++) {
        page.clear();
        while (page.hasRemaining()) {
          if (channel.read(page, (long) block * PAGE_BYTES + page.position()) < 0) {
            throw new IOException(file + " ends within block " + block);
          }
        }
        byte[] before = bytes.clone();
        try {
          rewrite(page, tuples);
        } catch (IndexOutOfBoundsException | NegativeArraySizeException e) {
          throw new IOException("block " + block + " of " + file + " cannot be read", e);
        }
        if (!Arrays.equals(before, bytes)) {
          if (checksums) {
            PageChecksum.set(bytes, block);
          }
          page.rewind();
          while (page.hasRemaining()) {
            channel.write(page, (long) block * PAGE_BYTES + page.position());
          }
        }
      }
    }
  }

  /**
   * Rewrites every tuple that there is, dead ones, too, and clears what is between tuples: pruning
   * moves them together and leaves the bytes (PostgreSQL 17 {@code compactify_tuples} in
   * src/backend/storage/page/bufpage.c).
   */
  private static void rewrite(ByteBuffer page, Rewriting tuples) {
    int lower = page.getShort(LOWER) & 0xFFFF;
    if (lower == 0) {
      return; // a new page
    }
    byte[] cleared = new byte[(page.getShort(SPECIAL) & 0xFFFF) - lower];
    for (int at = FIRST_LINE_POINTER; at + 4 <= lower; at += 4) {
      int pointer = page.getInt(at);
      if ((pointer >>> 15 & 3) != NORMAL) {
        continue;
      }
      int offset = pointer & 0x7FFF;
      byte[] tuple = new byte[pointer >>> 17];
      page.get(offset, tuple);
      byte[] rewritten = tuples.of(tuple);
      System.arraycopy(rewritten, 0, cleared, offset - lower, rewritten.length);
      page.putInt(at, offset | NORMAL << 15 | rewritten.length << 17);
    }
    page.put(lower, cleared);
  }

  private byte[] held(byte[] row) {
    SubscriptionTuple tuple = new SubscriptionTuple(major, row);
    byte[] held = tuple.held();
    kept.addAll(tuple.toastedOthers());
    return held;
  }

  /** A row of the TOAST table: cleared unless a row needs it for something else. */
  private byte[] chunk(byte[] row) {
    ByteBuffer in = ByteBuffer.wrap(row).order(ByteOrder.LITTLE_ENDIAN);
    int data = row[HEADER_BYTES] & 0xFF;
    byte[] chunk = row.clone();
    if (!kept.contains(in.getInt(data))) {
      int value = data + CHUNK_SEQ_BYTES;
      int header = (row[value] & 1) != 0 ? 1 : 4;
      Arrays.fill(chunk, value + header, chunk.length, (byte) 0);
    }
    return chunk;
  }
}
