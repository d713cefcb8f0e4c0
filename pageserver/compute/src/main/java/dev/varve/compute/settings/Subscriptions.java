package dev.varve.compute.settings;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;

/**
 * The subscriptions of a data directory that was just laid out. They belong to the original: a copy
 * that used them would take rows from their publishers that the original then lacks, and would drop
 * their slots. So each row of {@code pg_subscription}, a shared catalog and therefore a local file,
 * is rewritten in place before PostgreSQL starts; see docs/decisions/0060-copy-isolation.md.
 */
public final class Subscriptions {
  private static final int PAGE_BYTES = 8192;

  /** PostgreSQL 17 src/include/storage/bufpage.h. */
  private static final int LOWER = 12;

  private static final int FIRST_LINE_POINTER = 24;
  private static final int NORMAL = 1;

  private Subscriptions() {}

  /** Holds back every subscription of a data directory that PostgreSQL has not run on. */
  public static void hold(Path data, int major, boolean checksums) throws IOException {
    Path file = SharedCatalog.file(data, SharedCatalog.PG_SUBSCRIPTION);
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
        if (hold(page, major)) {
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

  /** Whether the page has changed. */
  private static boolean hold(ByteBuffer page, int major) throws IOException {
    boolean changed = false;
    int lower = page.getShort(LOWER) & 0xFFFF;
    for (int at = FIRST_LINE_POINTER; at + 4 <= lower; at += 4) {
      int pointer = page.getInt(at);
      if ((pointer >>> 15 & 3) != NORMAL) {
        continue;
      }
      int offset = pointer & 0x7FFF;
      int length = pointer >>> 17;
      byte[] held;
      try {
        byte[] old = new byte[length];
        page.get(offset, old);
        held = new SubscriptionTuple(major, old).held();
      } catch (IndexOutOfBoundsException e) {
        throw new IOException("a row of pg_subscription cannot be read", e);
      }
      page.put(offset, Arrays.copyOf(held, length)); // nothing is left of a password
      page.putInt(at, offset | NORMAL << 15 | held.length << 17);
      changed = true;
    }
    return changed;
  }
}
