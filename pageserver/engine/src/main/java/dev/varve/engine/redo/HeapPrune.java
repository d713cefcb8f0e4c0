package dev.varve.engine.redo;

import static dev.varve.engine.bytes.LittleEndian.i32;
import static dev.varve.engine.bytes.LittleEndian.u16;
import static dev.varve.engine.bytes.LittleEndian.u8;

import dev.varve.engine.wal.WalRecord;

/**
 * Pruning, vacuuming and freezing of heap pages: three records up to 16, one layout for all from 17
 * on. Follows PostgreSQL 15 to 18 {@code src/include/access/heapam_xlog.h} and {@code
 * src/backend/access/heap/pruneheap.c}.
 */
final class HeapPrune {
  private static final int CLEANUP_LOCK = 0x04;
  private static final int HAS_CONFLICT_HORIZON = 0x08;
  private static final int HAS_FREEZE_PLANS = 0x10;
  private static final int HAS_REDIRECTIONS = 0x20;
  private static final int HAS_DEAD_ITEMS = 0x40;
  private static final int HAS_NOW_UNUSED_ITEMS = 0x80;

  private static final int PLAN_BYTES = 12;
  private static final int FREEZE_XVAC = 0x02;
  private static final int INVALID_XVAC = 0x04;
  private static final int FROZEN_XID = 2;

  private HeapPrune() {}

  /** 15 and 16: redirections, dead items, the rest is unused. */
  static void prune(WalRecord record, byte[] page) {
    byte[] bytes = record.bytes;
    int main = HeapRedo.main(record, 8);
    int redirected = u16(bytes, main + 4);
    int dead = u16(bytes, main + 6);
    int at = data(record, 4 * redirected + 2 * dead);
    int unused = (record.blockDataLength[0] - 4 * redirected - 2 * dead) / 2;
    at = redirect(page, bytes, at, redirected);
    at = setDead(page, bytes, at, dead);
    setUnused(page, bytes, at, unused);
    HeapPage.repairFragmentation(page);
  }

  /** 15 and 16: dead items become unused. */
  static void vacuum(WalRecord record, byte[] page) {
    int count = u16(record.bytes, HeapRedo.main(record, 2));
    setUnused(page, record.bytes, data(record, 2 * count), count);
    HeapPage.truncateLinePointers(page);
  }

  /** 15: one entry a tuple: xmax, number, infomask2, infomask, flags. */
  static void freezeTuples(WalRecord record, byte[] page) {
    byte[] bytes = record.bytes;
    int count = u16(bytes, HeapRedo.main(record, 6) + 4);
    int at = data(record, count * PLAN_BYTES);
    for (int i = 0; i < count; i++, at += PLAN_BYTES) {
      freeze(
          page,
          u16(bytes, at + 4),
          i32(bytes, at),
          u16(bytes, at + 6),
          u16(bytes, at + 8),
          u8(bytes, at + 10));
    }
  }

  /** 16: plans, each for several tuples, then the tuples' numbers. */
  static void freezePlans(WalRecord record, byte[] page) {
    int plans = u16(record.bytes, HeapRedo.main(record, 7) + 4);
    int at = data(record, plans * PLAN_BYTES);
    freeze(record, page, at, plans, at + plans * PLAN_BYTES);
  }

  /** From 17 on: what there is is told by flags. */
  static void pruneAndFreeze(WalRecord record, byte[] page) {
    byte[] bytes = record.bytes;
    int flags = u8(bytes, HeapRedo.main(record, 2) + 1);
    if ((flags & HAS_CONFLICT_HORIZON) != 0) {
      HeapRedo.main(record, 6);
    }
    int at = record.blockDataOffset[0];
    int plans = 0;
    int plansAt = 0;
    if ((flags & HAS_FREEZE_PLANS) != 0) {
      plans = count(record, at);
      plansAt = at + 4;
      at = plansAt + plans * PLAN_BYTES;
    }
    boolean prunes = false;
    if ((flags & HAS_REDIRECTIONS) != 0) {
      int count = count(record, at);
      at = redirect(page, bytes, demand(record, at + 2, 4 * count), count);
      prunes |= count > 0;
    }
    if ((flags & HAS_DEAD_ITEMS) != 0) {
      int count = count(record, at);
      at = setDead(page, bytes, demand(record, at + 2, 2 * count), count);
      prunes |= count > 0;
    }
    if ((flags & HAS_NOW_UNUSED_ITEMS) != 0) {
      int count = count(record, at);
      at = setUnused(page, bytes, demand(record, at + 2, 2 * count), count);
      prunes |= count > 0;
    }
    if (prunes) {
      if ((flags & CLEANUP_LOCK) != 0) {
        HeapPage.repairFragmentation(page);
      } else {
        HeapPage.truncateLinePointers(page);
      }
    }
    freeze(record, page, plansAt, plans, at);
  }

  private static int count(WalRecord record, int at) {
    return u16(record.bytes, demand(record, at, 2));
  }

  /** Checks that {@code length} bytes at {@code at} belong to block 0's data. */
  private static int demand(WalRecord record, int at, int length) {
    if (at + length > record.blockDataOffset[0] + record.blockDataLength[0]) {
      throw new RedoException("the block's data ends too early");
    }
    return at;
  }

  private static int data(WalRecord record, int length) {
    return demand(record, record.blockDataOffset[0], length);
  }

  private static int redirect(byte[] page, byte[] bytes, int at, int count) {
    int next = at;
    for (int i = 0; i < count; i++, next += 4) {
      HeapPage.redirect(page, u16(bytes, next), u16(bytes, next + 2));
    }
    return next;
  }

  private static int setDead(byte[] page, byte[] bytes, int at, int count) {
    int next = at;
    for (int i = 0; i < count; i++, next += 2) {
      HeapPage.setDead(page, u16(bytes, next));
    }
    return next;
  }

  private static int setUnused(byte[] page, byte[] bytes, int at, int count) {
    int next = at;
    for (int i = 0; i < count; i++, next += 2) {
      HeapPage.setUnused(page, u16(bytes, next));
    }
    return next;
  }

  private static void freeze(WalRecord record, byte[] page, int plansAt, int plans, int numbersAt) {
    byte[] bytes = record.bytes;
    int plan = plansAt;
    int number = numbersAt;
    for (int p = 0; p < plans; p++, plan += PLAN_BYTES) {
      int tuples = u16(bytes, demand(record, plan, PLAN_BYTES) + 10);
      demand(record, number, 2 * tuples);
      for (int i = 0; i < tuples; i++, number += 2) {
        freeze(
            page,
            u16(bytes, number),
            i32(bytes, plan),
            u16(bytes, plan + 4),
            u16(bytes, plan + 6),
            u8(bytes, plan + 8));
      }
    }
  }

  private static void freeze(
      byte[] page, int number, int xmax, int infomask2, int infomask, int flags) {
    int tuple = HeapPage.tuple(page, number);
    HeapTuple.setXmax(page, tuple, xmax);
    if ((flags & FREEZE_XVAC) != 0) {
      HeapTuple.setXvac(page, tuple, FROZEN_XID);
    }
    if ((flags & INVALID_XVAC) != 0) {
      HeapTuple.setXvac(page, tuple, 0);
    }
    HeapTuple.setInfomasks(page, tuple, infomask2, infomask);
  }
}
