package dev.varve.engine.redo;

import static dev.varve.engine.bytes.LittleEndian.i32;
import static dev.varve.engine.bytes.LittleEndian.putI32;
import static dev.varve.engine.bytes.LittleEndian.putI64;
import static dev.varve.engine.bytes.LittleEndian.putU16;
import static dev.varve.engine.bytes.LittleEndian.u16;
import static dev.varve.engine.bytes.LittleEndian.u32;

import dev.varve.engine.postgres.Page;
import java.util.Arrays;

/**
 * Blanks what a primary's page and a replayed one may differ in, as PostgreSQL's own consistency
 * check does. Follows PostgreSQL 17 {@code src/backend/access/common/bufmask.c} and the {@code
 * rm_mask} function of each resource manager; the same in 15 to 18.
 */
final class PageMask {
  private static final int HINT_FLAGS = Page.HAS_FREE_LINES | Page.PAGE_FULL | Page.ALL_VISIBLE;

  private PageMask() {}

  /** Masks in place a page that a record of resource manager {@code rmid} changed. */
  static void apply(int rmid, byte[] page, int block) {
    putI64(page, Page.LSN, 0);
    putU16(page, Page.CHECKSUM, 0);
    if (Page.isNew(page)) {
      return;
    }
    int special = Page.special(page);
    if (rmid != 15 && rmid != 20) {
      putI32(page, Page.PRUNE_XID, 0);
      Page.clearFlag(page, HINT_FLAGS);
    }
    switch (rmid) {
      case 9, 10 -> heap(page, block);
      case 11 -> {
        unused(page);
        if ((u16(page, special + 12) & BtreePage.LEAF) != 0) {
          lineFlags(page);
        }
        putU16(page, special + 12, u16(page, special + 12) & ~0x60);
        putU16(page, special + 14, 0);
      }
      case 12 -> hash(page, special);
      case 13 -> {
        if ((u16(page, special + 6) & GinPage.DELETED) != 0) {
          content(page);
        } else if (Page.lower(page) > Page.HEADER_SIZE) {
          unused(page);
        }
      }
      case 14 -> {
        unused(page);
        putI64(page, special, 0);
        int flags = u16(page, special + 12) | 0x08;
        if ((flags & 0x01) != 0) {
          lineFlags(page);
        }
        // Replay sets F_TUPLES_DELETED (0x04) and the primary does not: PostgreSQL's own check
        // stumbles over it.
        putU16(page, special + 12, flags & ~(0x10 | 0x04));
      }
      case 16 -> {
        if (Page.lower(page) >= Page.HEADER_SIZE) {
          unused(page);
        }
      }
      case 17 -> {
        int type = u16(page, special + 6);
        if (type == 0xF093 || (type == 0xF091 && Page.lower(page) > Page.HEADER_SIZE)) {
          unused(page);
        }
        putU16(page, special + 4, u16(page, special + 4) & ~1);
      }
      case 15, 20 -> unused(page);
      default -> throw new IllegalArgumentException("resource manager " + rmid + " has no mask");
    }
  }

  static boolean hasMask(int rmid) {
    return rmid >= 9 && rmid <= 17 || rmid == 20;
  }

  private static void heap(byte[] page, int block) {
    unused(page);
    for (int number = 1; number <= Page.itemCount(page); number++) {
      int itemId = i32(page, Page.itemIdOffset(number));
      int offset = itemId & 0x7FFF;
      int length = itemId >>> 17;
      if (((itemId >>> 15) & 3) == 1) {
        int infomask = u16(page, offset + 20);
        if ((infomask & 0x0300) == 0x0300) {
          putU16(page, offset + 20, infomask & ~(0x0400 | 0x0800));
        } else {
          putU16(page, offset + 20, infomask & ~0xFFF0);
        }
        putI32(page, offset + 8, 0);
        if (u16(page, offset + 16) == 0xFFFE) {
          putU16(page, offset + 12, block >>> 16);
          putU16(page, offset + 14, block);
          putU16(page, offset + 16, number);
        }
      }
      if (length > 0) {
        Arrays.fill(page, offset + length, offset + ((length + 7) & ~7), (byte) 0);
      }
    }
  }

  private static void hash(byte[] page, int special) {
    unused(page);
    int flags = u16(page, special + 12);
    if ((flags & 0x0F) == 0) {
      content(page);
    } else if ((flags & 0x03) != 0) {
      lineFlags(page);
    }
    putU16(page, special + 12, flags & ~0x80);
  }

  private static void unused(byte[] page) {
    Arrays.fill(page, Page.lower(page), Page.upper(page), (byte) 0);
  }

  private static void lineFlags(byte[] page) {
    for (int number = 1; number <= Page.itemCount(page); number++) {
      int line = Page.itemIdOffset(number);
      if ((u32(page, line) & 0x18000) != 0) {
        putI32(page, line, i32(page, line) & ~0x18000);
      }
    }
  }

  private static void content(byte[] page) {
    Arrays.fill(page, Page.HEADER_SIZE, Page.SIZE, (byte) 0);
    putU16(page, Page.LOWER, 0);
    putU16(page, Page.UPPER, 0);
  }
}
