package dev.varve.engine.redo;

import org.jspecify.annotations.Nullable;

/**
 * The table of resource managers by {@code xl_rmid}; ids are the same in 15 to 18. Follows
 * PostgreSQL 17 {@code src/include/access/rmgrlist.h}. Custom ones (128 to 255) belong to
 * extensions whose pages nobody else can know.
 */
public final class ResourceManagers {
  /** {@code RM_MAX_BUILTIN_ID} + 1. */
  private static final int COUNT = 22;

  private static final @Nullable ResourceManager[] TABLE = new ResourceManager[COUNT];

  static {
    for (int rmid = 0; rmid < COUNT; rmid++) {
      TABLE[rmid] = create(rmid);
    }
  }

  private ResourceManagers() {}

  private static @Nullable ResourceManager create(int rmid) {
    return switch (rmid) {
      case 0 -> new XlogRedo();
      case 1 -> new TransactionRedo();
      case 2 -> new SmgrRedo();
      case 3 -> new ClogRedo();
      case 4 -> new DatabaseRedo();
      case 5 -> new TablespaceRedo();
      case 6 -> new MultiXactRedo();
      case 7 -> new RelMapRedo();
      case 8 -> new StandbyRedo();
      case 9 -> new Heap2Redo();
      case 10 -> new HeapRedo();
      case 11 -> new BtreeRedo();
      case 12 -> new HashRedo();
      case 13 -> new GinRedo();
      case 14 -> new GistRedo();
      case 16 -> new SpGistRedo();
      case 17 -> new BrinRedo();
      case 15 -> new SequenceRedo();
      case 18 -> new CommitTsRedo();
      case 19 -> new ReplicationOriginRedo();
      case 20 -> new GenericRedo();
      case 21 -> new LogicalMessageRedo();
      default -> null;
    };
  }

  /**
   * The resource manager with this id.
   *
   * @throws RedoException when there is none
   */
  public static ResourceManager of(int rmid) {
    ResourceManager found = rmid >= 0 && rmid < COUNT ? TABLE[rmid] : null;
    if (found == null) {
      throw new RedoException(
          "resource manager "
              + rmid
              + (rmid >= 128 ? " belongs to an extension and is not known" : " is not known"));
    }
    return found;
  }

  /** Its name, or its number when it is not known. */
  public static String name(int rmid) {
    ResourceManager found = rmid >= 0 && rmid < COUNT ? TABLE[rmid] : null;
    return found == null ? "resource manager " + rmid : found.name();
  }
}
