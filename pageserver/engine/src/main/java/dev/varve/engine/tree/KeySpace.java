package dev.varve.engine.tree;

import dev.varve.engine.catalog.ClusterSettings;
import dev.varve.engine.catalog.DatabaseDirectories;
import dev.varve.engine.catalog.SlruBounds;

/**
 * What a key means. A key is an unsigned {@code long}: relation id in the high half, block number
 * in the low half. Relation ids are dense per timeline; those below {@link #FIRST_RELATION} are the
 * key spaces of everything that is not a relation's block. No key is 0.
 */
public final class KeySpace {
  /** Block = relation id → locator and fork, written once. */
  public static final int DICTIONARY = 0;

  /** Block = relation id → u32 blocks; an empty value: the fork does not exist. */
  public static final int RELATION_SIZE = 1;

  /** Pages of {@code pg_xact}; the four SLRUs stand in the order of {@code ClusterEffects}. */
  public static final int FIRST_SLRU = 2;

  /** How many SLRUs there are. */
  public static final int SLRU_COUNT = 4;

  /** Block = SLRU (0 to 3) → {@link SlruBounds}. */
  public static final int SLRU_BOUNDS = 6;

  /** Block = database OID → {@link DatabaseDirectories}; 0 holds the shared relation map. */
  public static final int DATABASE = 7;

  /**
   * Block = tablespace OID → location in UTF-8. An empty value: made in place while the directory
   * lists it, else dropped.
   */
  public static final int TABLESPACE = 8;

  /**
   * Block = transaction id → u64 full transaction id and the file's contents; an empty value:
   * ended.
   */
  public static final int TWO_PHASE = 9;

  /** Block = origin id → u64 remote LSN, u64 local LSN; an empty value: dropped. */
  public static final int REPLICATION_ORIGIN = 10;

  /** Block = one of the {@code CONTROL_} constants. */
  public static final int CONTROL = 11;

  /**
   * Block = one of the key spaces {@link #DATABASE} to {@link #REPLICATION_ORIGIN} → u32 count,
   * then the OIDs or ids that exist there.
   */
  public static final int DIRECTORY = 12;

  /** Block = TLI → the contents of its history file. */
  public static final int TIMELINE_HISTORY = 13;

  /** The control file as the primary wrote it, with its parameters kept current. */
  public static final int CONTROL_FILE = 1;

  /** u64 next full transaction id. */
  public static final int CONTROL_NEXT_XID = 2;

  /**
   * The 88 bytes of a {@code CheckPoint} whose counters are kept current, but for the next
   * transaction id.
   */
  public static final int CONTROL_CHECKPOINT = 3;

  /**
   * {@link ClusterSettings}, stamped with what had been received when the primary was asked, or
   * with the byte behind that where a layer starts there.
   */
  public static final int CONTROL_SETTINGS = 4;

  /** The first relation id of a relation. */
  public static final int FIRST_RELATION = 64;

  private KeySpace() {}

  public static long key(int relationId, int block) {
    return (long) relationId << 32 | (block & 0xFFFF_FFFFL);
  }

  public static int relationId(long key) {
    return (int) (key >>> 32);
  }

  public static int block(long key) {
    return (int) key;
  }

  /**
   * Whether the key's value is a page that redo applies to: a relation's block or an SLRU's page.
   */
  public static boolean isPage(long key) {
    int relationId = relationId(key);
    return relationId >= FIRST_RELATION
        || relationId >= FIRST_SLRU && relationId < FIRST_SLRU + SLRU_COUNT;
  }
}
