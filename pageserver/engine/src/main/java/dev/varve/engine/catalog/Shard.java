package dev.varve.engine.catalog;

import dev.varve.engine.PageserverException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The part of a timeline's pages that one attachment keeps. Pages are dealt out in stripes of
 * consecutive blocks of one fork; everything that is not a page of a relation is on every shard.
 *
 * <p>The shard of a block: with {@code x = relationNumber << 32 | block / stripeBlocks}, all
 * unsigned, plus {@code fork × 0x9E3779B97F4A7C15}, and SplitMix64's finaliser of it (Steele, Lea,
 * Flood, 2014), the remainder of the unsigned result by {@code count}. Shared catalogs (database 0)
 * are on shard 0, which makes thin images of them. Otherwise tablespace and database are left out,
 * so that a copied database's pages are where those of its template are. Readers route by the same
 * function.
 *
 * @param index from 0
 * @param count 1 to 256; 1 is the whole timeline
 * @param stripeBlocks blocks per stripe, 1 to 131072 (1 GiB); of no effect when count is 1
 */
public record Shard(int index, int count, int stripeBlocks) {
  public static final int MAX_COUNT = 256;
  public static final int MAX_STRIPE_BLOCKS = 131_072;

  /** All pages. */
  public static final Shard WHOLE = new Shard(0, 1, MAX_STRIPE_BLOCKS);

  private static final Pattern TEXT =
      Pattern.compile("([0-9]{1,3})-of-([0-9]{1,3})-by-([0-9]{1,6})");

  /**
   * @throws PageserverException.InvalidRequest when a number is out of its range
   */
  public Shard {
    if (count < 1 || count > MAX_COUNT || index < 0 || index >= count) {
      throw new PageserverException.InvalidRequest(
          "shard " + index + " of " + count + ": expected 0 ≤ index < count ≤ " + MAX_COUNT);
    }
    if (stripeBlocks < 1 || stripeBlocks > MAX_STRIPE_BLOCKS) {
      throw new PageserverException.InvalidRequest(
          "a stripe of " + stripeBlocks + " blocks: expected 1 to " + MAX_STRIPE_BLOCKS);
    }
  }

  /**
   * Reads what {@link #toString} writes.
   *
   * @throws PageserverException.InvalidRequest when it is something else
   */
  public static Shard parse(String text) {
    Matcher matcher = TEXT.matcher(text);
    if (!matcher.matches()) {
      throw new PageserverException.InvalidRequest(
          "'" + text + "' is no shard; expected INDEX-of-COUNT-by-STRIPE, such as 0-of-2-by-2048");
    }
    return new Shard(
        Integer.parseInt(matcher.group(1)),
        Integer.parseInt(matcher.group(2)),
        Integer.parseInt(matcher.group(3)));
  }

  public boolean coversAll() {
    return count == 1;
  }

  /** Whether this shard keeps the block; all arguments unsigned. */
  public boolean owns(int databaseOid, int relationNumber, int fork, int block) {
    return count == 1 || indexOf(databaseOid, relationNumber, fork, block) == index;
  }

  /** Which shard keeps the block. */
  public int indexOf(int databaseOid, int relationNumber, int fork, int block) {
    if (databaseOid == 0) {
      return 0;
    }
    long x =
        (Integer.toUnsignedLong(relationNumber) << 32
                | Integer.toUnsignedLong(block) / stripeBlocks)
            + fork * 0x9E3779B97F4A7C15L;
    x = (x ^ x >>> 30) * 0xBF58476D1CE4E5B9L;
    x = (x ^ x >>> 27) * 0x94D049BB133111EBL;
    return (int) Long.remainderUnsigned(x ^ x >>> 31, count);
  }

  /** Such as {@code 0-of-2-by-2048}: part of object names and of requests. */
  @Override
  public String toString() {
    return index + "-of-" + count + "-by-" + stripeBlocks;
  }
}
