package dev.varve.engine.redo;

import static dev.varve.engine.bytes.LittleEndian.i32;
import static dev.varve.engine.bytes.LittleEndian.putI32;
import static dev.varve.engine.bytes.LittleEndian.putI64;
import static dev.varve.engine.bytes.LittleEndian.putU16;
import static dev.varve.engine.bytes.LittleEndian.u16;

import dev.varve.engine.postgres.Page;
import java.util.Arrays;

/**
 * A page of a hash index: its special space, pages made from nothing, and the fields of the meta
 * page. Accessors over a {@code byte[8192]}. Follows PostgreSQL 17 {@code
 * src/include/access/hash.h} and {@code src/backend/access/hash/hashpage.c}, {@code hashovfl.c} and
 * {@code hashutil.c}; the same in 15 to 18.
 */
final class HashPage {
  static final int UNUSED = 0;
  static final int OVERFLOW = 0x01;
  static final int BUCKET = 0x02;
  static final int BITMAP = 0x04;
  static final int META = 0x08;

  /** {@code LH_PAGE_TYPE}: the flags of which a page has one, or none when it is unused. */
  static final int TYPE_MASK = 0x0F;

  static final int NEEDS_SPLIT_CLEANUP = 0x40;
  static final int HAS_DEAD_TUPLES = 0x80;

  static final int SPECIAL_SIZE = 16;
  static final int OPAQUE = Page.SIZE - SPECIAL_SIZE;

  /** Of a bucket's primary page: the highest bucket when it was last split. */
  static final int PREVIOUS = OPAQUE;

  static final int NEXT = OPAQUE + 4;
  static final int BUCKET_NUMBER = OPAQUE + 8;
  static final int FLAGS = OPAQUE + 12;
  static final int PAGE_ID = OPAQUE + 14;

  static final int NO_BLOCK = -1;

  static final int TUPLE_COUNT = Page.HEADER_SIZE + 8;
  static final int MAX_BUCKET = Page.HEADER_SIZE + 24;
  static final int HIGH_MASK = Page.HEADER_SIZE + 28;
  static final int LOW_MASK = Page.HEADER_SIZE + 32;
  static final int OVERFLOW_POINT = Page.HEADER_SIZE + 36;
  static final int FIRST_FREE = Page.HEADER_SIZE + 40;

  private static final int MAGIC = Page.HEADER_SIZE;
  private static final int VERSION = Page.HEADER_SIZE + 4;
  private static final int FILL_FACTOR = Page.HEADER_SIZE + 16;
  private static final int BITMAP_ROOM = Page.HEADER_SIZE + 18;
  private static final int BITMAP_SIZE = Page.HEADER_SIZE + 20;
  private static final int BITMAP_SHIFT = Page.HEADER_SIZE + 22;
  private static final int MAP_COUNT = Page.HEADER_SIZE + 44;
  private static final int PROCEDURE = Page.HEADER_SIZE + 48;
  private static final int SPARES = Page.HEADER_SIZE + 52;
  private static final int MAPS = Page.HEADER_SIZE + 444;

  /** {@code sizeof(HashMetaPageData)}. */
  private static final int META_SIZE = 4544;

  /** {@code HASH_MAX_SPLITPOINTS}. */
  private static final int MAX_SPLIT_POINTS = 98;

  /** {@code HASH_MAX_BITMAPS}. */
  private static final int MAX_MAPS = 1024;

  /** {@code HASH_SPLITPOINT_GROUPS_WITH_ONE_PHASE}. */
  private static final int ONE_PHASE_GROUPS = 10;

  private static final int MOST_BUCKETS = 0x4000_0000;

  private HashPage() {}

  /** Rejects what is not laid out as a page of a hash index. */
  static void check(byte[] page) {
    if (Page.special(page) != OPAQUE) {
      throw new RedoException("not a hash page: special space at " + Page.special(page));
    }
  }

  /** Rejects a page that is none of {@code types}. */
  static void checkType(byte[] page, int types) {
    check(page);
    if ((flags(page) & types) == 0) {
      throw new RedoException("hash page has flags 0x" + Integer.toHexString(flags(page)));
    }
  }

  static int flags(byte[] page) {
    return u16(page, FLAGS);
  }

  static void clearFlag(byte[] page, int flag) {
    putU16(page, FLAGS, flags(page) & ~flag);
  }

  /** Makes an empty page that has no next one. */
  static void init(byte[] page, int previous, int bucket, int flags) {
    Page.init(page, SPECIAL_SIZE);
    putI32(page, PREVIOUS, previous);
    putI32(page, NEXT, NO_BLOCK);
    putI32(page, BUCKET_NUMBER, bucket);
    putU16(page, FLAGS, flags);
    putU16(page, PAGE_ID, 0xFF80);
  }

  /**
   * Makes a bitmap page on which every overflow page is in use.
   *
   * @param size bytes of the bitmap
   */
  static void initBitmap(byte[] page, int size) {
    init(page, NO_BLOCK, NO_BLOCK, BITMAP);
    if (size > OPAQUE - Page.HEADER_SIZE) {
      throw new RedoException("bitmap of " + size + " bytes");
    }
    Arrays.fill(page, Page.HEADER_SIZE, Page.HEADER_SIZE + size, (byte) 0xFF);
    putU16(page, Page.LOWER, Page.HEADER_SIZE + size);
  }

  /** Says whether an overflow page is in use. */
  static void setBit(byte[] page, int bit, boolean used) {
    checkType(page, BITMAP);
    int at = Page.HEADER_SIZE + (bit >>> 3);
    if (at >= OPAQUE) {
      throw new RedoException("no bit " + Integer.toUnsignedString(bit) + " in a bitmap");
    }
    int mask = 1 << (bit & 7);
    page[at] = (byte) (used ? page[at] | mask : page[at] & ~mask);
  }

  /**
   * Makes the meta page of an index that expects so many tuples.
   *
   * @param procedure OID of the hash function
   * @param fillFactor tuples per bucket
   */
  static void initMeta(byte[] page, double tuples, int procedure, int fillFactor) {
    init(page, NO_BLOCK, NO_BLOCK, META);
    int buckets = initialBuckets(tuples / fillFactor);
    int splitPoint = splitPoint(buckets);
    int room = OPAQUE - Page.HEADER_SIZE;
    int bitmapSize = Integer.highestOneBit(room);
    // The least mask that has room for one bucket more.
    int highMask = (Integer.highestOneBit(buckets) << 1) - 1;
    putI32(page, MAGIC, 0x0644_0640);
    putI32(page, VERSION, 4);
    putI64(page, TUPLE_COUNT, Double.doubleToRawLongBits(0));
    putU16(page, FILL_FACTOR, fillFactor);
    putU16(page, BITMAP_ROOM, room);
    putU16(page, BITMAP_SIZE, bitmapSize);
    putU16(page, BITMAP_SHIFT, Integer.numberOfTrailingZeros(bitmapSize) + 3);
    putI32(page, MAX_BUCKET, buckets - 1);
    putI32(page, HIGH_MASK, highMask);
    putI32(page, LOW_MASK, highMask >>> 1);
    putI32(page, OVERFLOW_POINT, splitPoint);
    putI32(page, FIRST_FREE, 0);
    putI32(page, MAP_COUNT, 0);
    putI32(page, PROCEDURE, procedure);
    putI32(page, spare(splitPoint), 1);
    putU16(page, Page.LOWER, Page.HEADER_SIZE + META_SIZE);
  }

  private static int initialBuckets(double wanted) {
    if (wanted <= 2) {
      return 2;
    }
    return wanted < MOST_BUCKETS ? bucketsUpTo(splitPoint((int) wanted)) : MOST_BUCKETS;
  }

  /**
   * The split point at which a number of buckets is reached ({@code _hash_spareindex}). The buckets
   * double from each to the next at first, from the tenth doubling on in four equal phases.
   */
  private static int splitPoint(int buckets) {
    int group = 32 - Integer.numberOfLeadingZeros(buckets - 1);
    if (group < ONE_PHASE_GROUPS) {
      return group;
    }
    return ONE_PHASE_GROUPS
        + (group - ONE_PHASE_GROUPS) * 4
        + (((buckets - 1) >>> (group - 3)) & 3);
  }

  /** How many buckets there are at a split point ({@code _hash_get_totalbuckets}). */
  private static int bucketsUpTo(int splitPoint) {
    if (splitPoint < ONE_PHASE_GROUPS) {
      return 1 << splitPoint;
    }
    int phase = splitPoint - ONE_PHASE_GROUPS;
    int before = 1 << (ONE_PHASE_GROUPS + phase / 4 - 1);
    return before + before / 4 * (phase % 4 + 1);
  }

  /** Appends to the meta page's list of bitmap pages. */
  static void addMap(byte[] page, int block) {
    int count = i32(page, MAP_COUNT);
    if (count < 0 || count >= MAX_MAPS) {
      throw new RedoException("no room behind " + count + " bitmap pages");
    }
    putI32(page, MAPS + count * 4, block);
    putI32(page, MAP_COUNT, count + 1);
  }

  /** Where the meta page counts the overflow pages before a split point. */
  static int spare(int splitPoint) {
    if (splitPoint < 0 || splitPoint >= MAX_SPLIT_POINTS) {
      throw new RedoException("no split point " + splitPoint);
    }
    return SPARES + splitPoint * 4;
  }
}
