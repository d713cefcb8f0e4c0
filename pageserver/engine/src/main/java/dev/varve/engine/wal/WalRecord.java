package dev.varve.engine.wal;

import dev.varve.engine.postgres.Page;
import dev.varve.engine.postgres.RelFileLocator;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * One decoded WAL record: a flyweight over a byte array, filled by {@code RecordParser} from the
 * WAL or by {@code BlockRecord} from the slim form, and reused for the next record. Offsets point
 * into {@link #bytes}; every range was checked against the array by whoever filled it. Not
 * thread-safe.
 *
 * <p>Fields are public to the engine's hot loops and are only written by this package. Follows
 * PostgreSQL 17 {@code src/include/access/xlogrecord.h}.
 */
public final class WalRecord {
  /** Highest block id plus one ({@code XLR_MAX_BLOCK_ID} + 1). */
  public static final int MAX_BLOCKS = 33;

  /** {@code RM_XLOG_ID}. */
  public static final int RMGR_XLOG = 0;

  /** {@code RM_XACT_ID}. */
  public static final int RMGR_XACT = 1;

  /** {@code XLOG_SWITCH}: the rest of the segment is empty. */
  static final int XLOG_SWITCH = 0x40;

  /**
   * {@code XLOG_OVERWRITE_CONTRECORD}: takes the place of the rest of a record that was never
   * finished.
   */
  static final int XLOG_OVERWRITE_CONTRECORD = 0xD0;

  /** {@code BKPBLOCK_WILL_INIT} in {@link #blockFlags}. */
  public static final int WILL_INIT = 0x40;

  /** {@code BKPBLOCK_HAS_DATA} in {@link #blockFlags}. */
  public static final int HAS_DATA = 0x20;

  /** {@code BKPBLOCK_HAS_IMAGE} in {@link #blockFlags}. */
  public static final int HAS_IMAGE = 0x10;

  private static final byte[] NOTHING = new byte[0];

  public byte[] bytes = NOTHING;

  /** A tuple that heap redo puts together; made when the first one is. */
  private byte @Nullable [] tuple;

  /** Address of the record's first byte; 0 in a slim record. */
  public long startLsn;

  /** Address behind the record's last byte, rounded up to 8: what {@code pd_lsn} becomes. */
  public long endLsn;

  /** {@code xl_prev}; 0 in a slim record. */
  public long prevLsn;

  /** {@code xl_tot_len}: bytes of the whole record without padding; 0 in a slim record. */
  public int length;

  /** {@code xl_xid}, unsigned. */
  public int xid;

  /** {@code xl_rmid}, 0 to 255. */
  public int rmid;

  /** {@code xl_info} with the low nibble (the WAL machinery's own) masked off. */
  public int info;

  public int mainOffset;

  /** Of a long record more than is in {@link #bytes}: see {@link #mainKept}. */
  public int mainLength;

  /** Bytes at the end of the main data that are not in memory. */
  int mainMissing;

  /** All of a long record whose main data redo needs, which is not all in memory; else null. */
  @Nullable MemorySegment spooled;

  /** Replication origin id, 0 for none. */
  public int origin;

  /** The top-level transaction id that logical decoding wants, 0 for none; 0 in a slim record. */
  public int toplevelXid;

  /** Highest block id present, -1 when the record names no block. */
  public int maxBlockId = -1;

  public final boolean[] blockPresent = new boolean[MAX_BLOCKS];

  /**
   * The high nibble of {@code fork_flags}: {@link #WILL_INIT}, {@link #HAS_DATA}, {@link
   * #HAS_IMAGE}. A slim record keeps the flags of the whole record; of data and images it has only
   * the data of the block it was made for.
   */
  public final int[] blockFlags = new int[MAX_BLOCKS];

  public final int[] blockTablespace = new int[MAX_BLOCKS];
  public final int[] blockDatabase = new int[MAX_BLOCKS];
  public final int[] blockRelation = new int[MAX_BLOCKS];
  public final int[] blockFork = new int[MAX_BLOCKS];

  /** Unsigned block number. */
  public final int[] blockNumber = new int[MAX_BLOCKS];

  /**
   * The block's data; 0 bytes long when it has none. In a slim record only the block it was made
   * for has its data.
   */
  public final int[] blockDataOffset = new int[MAX_BLOCKS];

  public final int[] blockDataLength = new int[MAX_BLOCKS];

  /**
   * Whether the block's image replaces the page ({@code BKPIMAGE_APPLY}); never set in a slim
   * record.
   */
  public final boolean[] blockImageApplies = new boolean[MAX_BLOCKS];

  public final int[] blockImageOffset = new int[MAX_BLOCKS];

  /** Length of the image as it stands in the record: compressed, hole removed. */
  public final int[] blockImageLength = new int[MAX_BLOCKS];

  public final int[] blockImageHoleOffset = new int[MAX_BLOCKS];
  public final int[] blockImageHoleLength = new int[MAX_BLOCKS];

  /** One of the {@code COMPRESSION_} constants of {@link FullPageImage}. */
  public final int[] blockImageCompression = new int[MAX_BLOCKS];

  /**
   * Forgets everything. Entries above {@link #maxBlockId} are always clear, so that only those
   * below are touched; likewise what belongs to an image where there was none.
   */
  void clear() {
    for (int id = 0; id <= maxBlockId; id++) {
      blockPresent[id] = false;
      blockFlags[id] = 0;
      blockTablespace[id] = 0;
      blockDatabase[id] = 0;
      blockRelation[id] = 0;
      blockFork[id] = 0;
      blockNumber[id] = 0;
      blockDataOffset[id] = 0;
      blockDataLength[id] = 0;
      if (blockImageLength[id] != 0) {
        clearImage(id);
      }
    }
    maxBlockId = -1;
    mainOffset = 0;
    mainLength = 0;
    mainMissing = 0;
    spooled = null;
    origin = 0;
    toplevelXid = 0;
  }

  private void clearImage(int id) {
    blockImageApplies[id] = false;
    blockImageOffset[id] = 0;
    blockImageLength[id] = 0;
    blockImageHoleOffset[id] = 0;
    blockImageHoleLength[id] = 0;
    blockImageCompression[id] = FullPageImage.COMPRESSION_NONE;
  }

  /**
   * How much of the main data is in {@link #bytes}, from its start on. Of a record that is longer
   * than {@link RecordBuffer#LONG_RECORD_LENGTH} that may be its beginning only; what needs the
   * rest reads {@link MainData}.
   */
  public int mainKept() {
    return mainLength - mainMissing;
  }

  public boolean hasBlock(int id) {
    return id <= maxBlockId && blockPresent[id];
  }

  public boolean willInit(int id) {
    return (blockFlags[id] & WILL_INIT) != 0;
  }

  public boolean hasImage(int id) {
    return (blockFlags[id] & HAS_IMAGE) != 0;
  }

  /** Allocates: for messages and rare paths. */
  public RelFileLocator locator(int id) {
    return new RelFileLocator(blockTablespace[id], blockDatabase[id], blockRelation[id]);
  }

  /** Refers to no bytes any more, until the next record fills it. */
  public void release() {
    bytes = NOTHING;
  }

  /** Scratch for a tuple that redo puts together of this record, as long as a page. */
  public byte[] tuple() {
    byte[] made = tuple;
    if (made == null) {
      made = new byte[Page.SIZE];
      tuple = made;
    }
    return made;
  }
}
