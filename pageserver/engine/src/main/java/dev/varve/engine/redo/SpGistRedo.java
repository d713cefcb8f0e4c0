package dev.varve.engine.redo;

import static dev.varve.engine.bytes.LittleEndian.i32;
import static dev.varve.engine.bytes.LittleEndian.u16;
import static dev.varve.engine.bytes.LittleEndian.u8;

import dev.varve.engine.wal.WalRecord;

/**
 * SP-GiST records (resource manager 16). Follows PostgreSQL 17 {@code
 * src/backend/access/spgist/spgxlog.c} and {@code src/include/access/spgxlog.h}; the same in 15 to
 * 18 but for the length of {@link #VACUUM_REDIRECT}'s header.
 *
 * <p>All content is in the main data, arrays and tuples without padding; blocks have no data. A
 * page that is at once the parent is named once, and the main data says so.
 */
public final class SpGistRedo implements ResourceManager {
  private static final int ADD_LEAF = 0x10;
  private static final int MOVE_LEAFS = 0x20;
  private static final int ADD_NODE = 0x30;
  private static final int SPLIT_TUPLE = 0x40;
  private static final int PICK_SPLIT = 0x50;
  private static final int VACUUM_LEAF = 0x60;
  private static final int VACUUM_ROOT = 0x70;
  private static final int VACUUM_REDIRECT = 0x80;

  @Override
  public String name() {
    return "SPGist";
  }

  @Override
  public int opcodes() {
    return 0x01FE; // 0x10 to 0x80
  }

  @Override
  public boolean redo(WalRecord record, int blockId, byte[] page, RedoContext context) {
    if (!record.willInit(blockId)) {
      SpGistPage.check(page);
    }
    switch (record.info) {
      case ADD_LEAF -> addLeaf(record, blockId, page);
      case MOVE_LEAFS -> moveLeafs(record, blockId, page);
      case ADD_NODE -> addNode(record, blockId, page);
      case SPLIT_TUPLE -> splitTuple(record, blockId, page);
      case PICK_SPLIT -> SpGistPickSplit.redo(record, blockId, page);
      case VACUUM_LEAF -> vacuumLeaf(record, blockId, page);
      case VACUUM_ROOT -> vacuumRoot(record, blockId, page);
      case VACUUM_REDIRECT -> vacuumRedirect(record, blockId, page, context);
      default ->
          throw new RedoException("info 0x" + Integer.toHexString(record.info) + " is not known");
    }
    return true;
  }

  /** Block 0: the leaf page; 1: the parent, if the leaf is new to it. */
  private static void addLeaf(WalRecord record, int blockId, byte[] page) {
    byte[] bytes = record.bytes;
    int main = main(record, 10);
    int number = u16(bytes, main + 2);
    if (blockId == 1) {
      int parent = u16(bytes, main + 6);
      SpGistPage.setDownlink(page, parent, u16(bytes, main + 8), blockNumber(record, 0), number);
      return;
    }
    demandBlock(blockId, 0);
    init(record, 0, page, u8(bytes, main) != 0, leafFlags(u8(bytes, main + 1) != 0));
    int tuple = main + 10;
    int size = SpGistPage.leafSize(bytes, tuple, mainEnd(record));
    int head = u16(bytes, main + 4);
    if (number == head) {
      // In place of a dead head of the chain.
      SpGistPage.replace(page, bytes, tuple, size, number);
      return;
    }
    SpGistPage.addOrReplace(page, bytes, tuple, size, number);
    if (head != 0) {
      SpGistPage.setNext(page, head, number);
    }
  }

  /** A chain moves, growing by one tuple. Block 0: from here; 1: to there; 2: the parent. */
  private static void moveLeafs(WalRecord record, int blockId, byte[] page) {
    byte[] bytes = record.bytes;
    int main = main(record, 20);
    int moves = u16(bytes, main);
    // A dead head of the chain is not moved.
    int inserts = u8(bytes, main + 3) != 0 ? 1 : moves + 1;
    int deleted = main + 20;
    int inserted = deleted + moves * 2;
    main(record, 20 + (moves + inserts) * 2);
    int head = u16(bytes, inserted + (inserts - 1) * 2);
    switch (blockId) {
      case 0 -> {
        boolean build = u8(bytes, main + 16) != 0;
        SpGistPage.makeDead(
            page,
            numbers(bytes, deleted, moves),
            build ? SpGistPage.PLACEHOLDER : SpGistPage.REDIRECT,
            SpGistPage.PLACEHOLDER,
            blockNumber(record, 1),
            head,
            i32(bytes, main + 12));
      }
      case 1 -> {
        init(record, 1, page, u8(bytes, main + 2) != 0, leafFlags(u8(bytes, main + 4) != 0));
        int tuple = inserted + inserts * 2;
        for (int i = 0; i < inserts; i++) {
          int size = SpGistPage.leafSize(bytes, tuple, mainEnd(record));
          SpGistPage.addOrReplace(page, bytes, tuple, size, u16(bytes, inserted + i * 2));
          tuple += size;
        }
      }
      case 2 ->
          SpGistPage.setDownlink(
              page, u16(bytes, main + 6), u16(bytes, main + 8), blockNumber(record, 1), head);
      default -> throw unexpectedBlock(blockId);
    }
  }

  /**
   * An inner tuple got another node. Block 0: where it was; 1: where it is now, if not in the same
   * place; 2: the parent, if it is on neither page.
   */
  private static void addNode(WalRecord record, int blockId, byte[] page) {
    byte[] bytes = record.bytes;
    int main = main(record, 20);
    int number = u16(bytes, main);
    int newNumber = u16(bytes, main + 2);
    int tuple = main + 20;
    int size = SpGistPage.innerSize(bytes, tuple, mainEnd(record));
    if (!record.hasBlock(1)) {
      demandBlock(blockId, 0);
      SpGistPage.replace(page, bytes, tuple, size, number);
      return;
    }
    int newBlock = blockNumber(record, 1);
    switch (blockId) {
      case 0 -> {
        boolean build = u8(bytes, main + 16) != 0;
        SpGistPage.makeDead(
            page,
            number,
            build ? SpGistPage.PLACEHOLDER : SpGistPage.REDIRECT,
            newBlock,
            newNumber,
            i32(bytes, main + 12));
      }
      case 1 -> {
        init(record, 1, page, u8(bytes, main + 4) != 0, 0);
        SpGistPage.addOrReplace(page, bytes, tuple, size, newNumber);
      }
      case 2 -> {}
      default -> throw unexpectedBlock(blockId);
    }
    if (u8(bytes, main + 5) == blockId) {
      SpGistPage.setDownlink(page, u16(bytes, main + 6), u16(bytes, main + 8), newBlock, newNumber);
    }
  }

  /**
   * An inner tuple became two, one below the other. Block 0: the upper one, in the old place; 1:
   * the lower one, if on another page.
   */
  private static void splitTuple(WalRecord record, int blockId, byte[] page) {
    byte[] bytes = record.bytes;
    int main = main(record, 6);
    int prefix = main + 6;
    int prefixSize = SpGistPage.innerSize(bytes, prefix, mainEnd(record));
    int postfix = prefix + prefixSize;
    int postfixSize = SpGistPage.innerSize(bytes, postfix, mainEnd(record));
    boolean onePage = u8(bytes, main + 5) != 0;
    if (blockId == 0) {
      SpGistPage.replace(page, bytes, prefix, prefixSize, u16(bytes, main));
    } else {
      demandBlock(blockId, 1);
      init(record, 1, page, u8(bytes, main + 4) != 0, 0);
    }
    if (blockId == (onePage ? 0 : 1)) {
      SpGistPage.addOrReplace(page, bytes, postfix, postfixSize, u16(bytes, main + 2));
    }
  }

  private static void vacuumLeaf(WalRecord record, int blockId, byte[] page) {
    demandBlock(blockId, 0);
    byte[] bytes = record.bytes;
    int main = main(record, 16);
    int dead = u16(bytes, main);
    int placeholders = u16(bytes, main + 2);
    int moves = u16(bytes, main + 4);
    int chains = u16(bytes, main + 6);
    main(record, 16 + (dead + placeholders + (moves + chains) * 2) * 2);
    int at = main + 16;
    makeDead(page, numbers(bytes, at, dead), SpGistPage.DEAD);
    at += dead * 2;
    makeDead(page, numbers(bytes, at, placeholders), SpGistPage.PLACEHOLDER);
    at += placeholders * 2;
    int[] from = numbers(bytes, at, moves);
    at += moves * 2;
    for (int i = 0; i < moves; i++) {
      SpGistPage.swap(page, from[i], u16(bytes, at + i * 2));
    }
    makeDead(page, from, SpGistPage.PLACEHOLDER);
    at += moves * 2;
    for (int i = 0; i < chains; i++) {
      SpGistPage.setNext(page, u16(bytes, at + i * 2), u16(bytes, at + (chains + i) * 2));
    }
  }

  private static void makeDead(byte[] page, int[] numbers, int state) {
    SpGistPage.makeDead(page, numbers, state, state, 0, 0, 0);
  }

  /** A root that is a leaf has no chains, so that its tuples just go. */
  private static void vacuumRoot(WalRecord record, int blockId, byte[] page) {
    demandBlock(blockId, 0);
    int main = main(record, 12);
    int count = PageItems.checkCount(u16(record.bytes, main));
    main(record, 12 + count * 2);
    PageItems.deleteAll(page, record.bytes, main + 12, count);
  }

  private static void vacuumRedirect(
      WalRecord record, int blockId, byte[] page, RedoContext context) {
    demandBlock(blockId, 0);
    // 16 appended isCatalogRel.
    int header = context.major().number() >= 16 ? 10 : 8;
    int main = main(record, header);
    int count = u16(record.bytes, main);
    main(record, header + count * 2);
    for (int i = 0; i < count; i++) {
      SpGistPage.forgetRedirect(page, u16(record.bytes, main + header + i * 2));
    }
    int firstPlaceholder = u16(record.bytes, main + 2);
    if (firstPlaceholder != 0) {
      SpGistPage.deletePlaceholders(page, firstPlaceholder);
    }
  }

  static int leafFlags(boolean nulls) {
    return SpGistPage.LEAF | (nulls ? SpGistPage.NULLS : 0);
  }

  /** Makes the page when the record says so, in main data and in the block's flags alike. */
  static void init(WalRecord record, int blockId, byte[] page, boolean demanded, int flags) {
    if (demanded != record.willInit(blockId)) {
      throw new RedoException("block " + blockId + " is new and not new");
    }
    if (demanded) {
      SpGistPage.init(page, flags);
    }
  }

  /** The {@code count} item numbers that stand at {@code offset}. */
  static int[] numbers(byte[] bytes, int offset, int count) {
    int[] numbers = new int[PageItems.checkCount(count)];
    for (int i = 0; i < count; i++) {
      numbers[i] = u16(bytes, offset + i * 2);
    }
    return numbers;
  }

  /** Where the main data, of {@code length} bytes at least, starts. */
  static int main(WalRecord record, int length) {
    if (record.mainLength < length) {
      throw new RedoException(
          "main data of " + record.mainLength + " bytes, " + length + " needed");
    }
    return record.mainOffset;
  }

  static int mainEnd(WalRecord record) {
    return record.mainOffset + record.mainLength;
  }

  static int blockNumber(WalRecord record, int blockId) {
    if (!record.hasBlock(blockId)) {
      throw new RedoException("the record has no block " + blockId);
    }
    return record.blockNumber[blockId];
  }

  private static void demandBlock(int blockId, int demanded) {
    if (blockId != demanded) {
      throw unexpectedBlock(blockId);
    }
  }

  static RedoException unexpectedBlock(int blockId) {
    return new RedoException("the record type has no block " + blockId);
  }
}
