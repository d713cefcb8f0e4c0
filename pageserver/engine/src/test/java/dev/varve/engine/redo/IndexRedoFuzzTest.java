package dev.varve.engine.redo;

import static dev.varve.engine.redo.BlockRecords.i32s;
import static dev.varve.engine.redo.BlockRecords.join;
import static dev.varve.engine.redo.BlockRecords.tuple;
import static dev.varve.engine.redo.BlockRecords.u16s;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.engine.postgres.Page;
import dev.varve.engine.postgres.PostgresMajor;
import dev.varve.engine.wal.WalRecord;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/**
 * Damaged records on damaged pages of B-tree, GIN, GiST, SP-GiST, BRIN and generic: a page or a
 * {@link RedoException}, soon.
 */
class IndexRedoFuzzTest {
  private static final long SEED = 90210;
  private static final int ROUNDS = 60_000;

  private record Sample(WalRecord record, int block, byte[] page) {}

  private static byte[] btree(int level, int flags) {
    byte[] page = new byte[Page.SIZE];
    BtreePage.init(page, 3, 0, level, flags);
    for (int i = 0; i < 40; i++) {
      byte[] tuple = tuple(i / 4, 1, i + 1);
      PageItems.add(page, tuple, 0, tuple.length, i + 1);
    }
    if (level == 0) {
      byte[] intervals = u16s(1, 4, 9, 4, 17, 8);
      BtreeDedup.merge(page, intervals, 0, 3);
    }
    return page;
  }

  private static byte[] hash(int flags) {
    byte[] page = new byte[Page.SIZE];
    HashPage.init(page, 7, 3, flags);
    for (int i = 0; i < 40; i++) {
      byte[] tuple = tuple(i, 1, i + 1);
      PageItems.add(page, tuple, 0, tuple.length, i + 1);
    }
    return page;
  }

  private static void hashSamples(List<Sample> samples) {
    byte[] bucket = hash(HashPage.BUCKET);
    byte[] overflow = hash(HashPage.OVERFLOW);
    byte[] meta = new byte[Page.SIZE];
    HashPage.initMeta(meta, 500_000, 449, 307);
    byte[] bitmap = new byte[Page.SIZE];
    HashPage.initBitmap(bitmap, 4096);
    byte[] none = new byte[0];
    byte[] moved = join(u16s(3, 41), tuple(1, 2, 3), tuple(4, 5, 6));
    byte[] deletes = u16s(2, 5, 7, 40);
    byte[] squeeze = join(i32s(101, 103), u16s(2, 0x100, 0));
    sample(samples, 12, 0x00, join(i32s(0, 0x40F86A00, 449), u16s(307)), 0, none, meta);
    sample(samples, 12, 0x10, u16s(4096), 0, none, bitmap);
    sample(samples, 12, 0x10, u16s(4096), 1, none, meta);
    sample(samples, 12, 0x20, u16s(5), 0, tuple(3, 3, 3), bucket);
    sample(samples, 12, 0x20, u16s(5), 1, none, meta);
    byte[] grown = new byte[] {0, 16, 0};
    sample(samples, 12, 0x30, grown, 0, i32s(3), overflow, 1);
    sample(samples, 12, 0x30, grown, 1, none, bucket, 0);
    sample(samples, 12, 0x30, grown, 2, i32s(700), bitmap);
    sample(samples, 12, 0x30, grown, 3, none, bitmap);
    sample(samples, 12, 0x30, grown, 4, i32s(12), meta, 3);
    byte[] split = join(i32s(4096), u16s(0x22, 0x12), new byte[] {3});
    sample(samples, 12, 0x40, split, 0, none, bucket);
    sample(samples, 12, 0x40, split, 1, none, bucket);
    sample(samples, 12, 0x40, split, 2, i32s(4095, 8191, 24, 9), meta);
    sample(samples, 12, 0x60, u16s(0x42, 0x02), 1, none, bucket);
    sample(samples, 12, 0x70, u16s(2, 0), 1, moved, bucket);
    sample(samples, 12, 0x70, u16s(2, 0), 2, deletes, overflow);
    sample(samples, 12, 0x80, squeeze, 1, moved, overflow);
    for (int block = 2; block < 5; block++) {
      sample(samples, 12, 0x80, squeeze, block, none, overflow);
    }
    sample(samples, 12, 0x80, squeeze, 5, i32s(700), bitmap);
    sample(samples, 12, 0x80, squeeze, 6, i32s(12), meta);
    sample(samples, 12, 0x90, u16s(1), 1, deletes, overflow);
    sample(samples, 12, 0xA0, none, 0, none, bucket);
    sample(samples, 12, 0xB0, i32s(0, 0x40F86A00), 0, none, meta);
    byte[] dead = join(i32s(9), u16s(3, 0, 1, 5, 40));
    sample(samples, 12, 0xC0, dead, 0, none, bucket);
    sample(samples, 12, 0xC0, dead, 1, none, meta);
  }

  private static byte[] gin(int flags) {
    byte[] page = new byte[Page.SIZE];
    GinPage.init(page, flags);
    for (int i = 0; i < 20; i++) {
      byte[] tuple = tuple(i, 1, i + 1);
      PageItems.add(page, tuple, 0, tuple.length, i + 1);
    }
    return page;
  }

  private static byte[] ginLeaf() {
    byte[] page = new byte[Page.SIZE];
    byte[] list = new byte[Page.SIZE];
    long[] tids = new long[50];
    for (int i = 0; i < tids.length; i++) {
      tids[i] = 5000 + i * 300L;
    }
    int size = GinPostingList.encode(tids, tids.length, list);
    byte[] contents = new byte[size * 3];
    for (int i = 0; i < 3; i++) {
      System.arraycopy(list, 0, contents, i * size, size);
    }
    GinDataLeaf.init(page, contents, 0, contents.length);
    return page;
  }

  private static byte[] gist(int flags, int items) {
    byte[] page = new byte[Page.SIZE];
    GistPage.init(page, flags);
    for (int i = 0; i < items; i++) {
      byte[] tuple = tuple(i, 1, i + 1);
      PageItems.add(page, tuple, 0, tuple.length, i + 1);
    }
    return page;
  }

  /** A leaf tuple, or with a state other than live a dead one. */
  private static byte[] spgistLeaf(int state) {
    return join(i32s(state | 24 << 2), u16s(0, 0, 7, 1), i32s(9), new byte[8]);
  }

  /** An inner tuple with an eight-byte prefix and four nodes. */
  private static byte[] spgistInner() {
    byte[] node = u16s(0, 7, 1, 16, 0, 0, 0, 0);
    return join(i32s(4 << 3 | 8 << 16), u16s(80, 0), new byte[8], node, node, node, node);
  }

  /** Items 1 to 10 are inner tuples, 11 to 20 leafs, 21 to 30 redirects, 31 to 40 placeholders. */
  private static byte[] spgist() {
    byte[] page = new byte[Page.SIZE];
    SpGistPage.init(page, SpGistPage.LEAF);
    for (int i = 0; i < 40; i++) {
      int state = i < 20 ? SpGistPage.LIVE : i < 30 ? SpGistPage.REDIRECT : SpGistPage.PLACEHOLDER;
      byte[] tuple = i < 10 ? spgistInner() : spgistLeaf(state);
      PageItems.add(page, tuple, 0, tuple.length, i + 1);
    }
    page[SpGistPage.REDIRECTS] = 10;
    page[SpGistPage.PLACEHOLDERS] = 10;
    return page;
  }

  private static void spgistSamples(List<Sample> samples) {
    byte[] page = spgist();
    byte[] none = new byte[0];
    byte[] leaf = spgistLeaf(SpGistPage.LIVE);
    byte[] inner = spgistInner();
    // Leaf in place of a placeholder behind item 11, and of item 12 itself.
    sample(samples, 16, 0x10, join(u16s(0, 33, 11, 3, 2), leaf), 0, none, page);
    sample(samples, 16, 0x10, join(u16s(0, 12, 12, 3, 2), leaf), 0, none, page);
    sample(samples, 16, 0x10, join(u16s(0, 33, 11, 3, 2), leaf), 1, none, page, 0);
    byte[] move =
        join(u16s(2, 0, 0, 3, 1, 0), i32s(9, 0), u16s(14, 12, 33, 31, 34), leaf, leaf, leaf);
    sample(samples, 16, 0x20, move, 0, none, page, 1);
    sample(samples, 16, 0x20, move, 1, none, page);
    sample(samples, 16, 0x20, move, 2, none, page, 1);
    sample(samples, 16, 0x30, join(u16s(4, 0, 0xFF00, 0, 0, 0), i32s(9, 0), inner), 0, none, page);
    for (int block = 0; block < 3; block++) {
      byte[] main = join(u16s(4, 33, block << 8, 3, 1, 0), i32s(9, 0), inner);
      sample(samples, 16, 0x30, main, block, none, page, 0, 1, 2);
    }
    sample(samples, 16, 0x40, join(u16s(4, 33, 0x100), inner, inner), 0, none, page);
    sample(samples, 16, 0x40, join(u16s(4, 33, 0), inner, inner), 1, none, page);
    byte[] split =
        join(
            u16s(0, 3, 2, 0, 35, 0, 1, 3, 1, 0),
            i32s(9, 0),
            u16s(15, 12, 13, 33, 34),
            new byte[] {0, 1},
            inner,
            leaf,
            leaf);
    for (int block = 0; block < 4; block++) {
      sample(samples, 16, 0x50, split, block, none, page, 2);
    }
    byte[] vacuum = join(u16s(1, 3, 1, 1), i32s(9, 0), u16s(11, 14, 12, 13, 15, 14, 16, 11));
    vacuum[vacuum.length - 2] = 17;
    sample(samples, 16, 0x60, vacuum, 0, none, page);
    sample(samples, 16, 0x70, join(u16s(3, 0), i32s(9, 0), u16s(12, 14, 15)), 0, none, page);
    byte[] redirects = join(u16s(2, 36), i32s(9), u16s(0, 22, 21));
    sample(samples, 16, 0x80, redirects, 0, none, page);
  }

  private static byte[] brin(int type) {
    byte[] page = gin(0);
    page[Page.SIZE - 2] = (byte) type;
    page[Page.SIZE - 1] = (byte) (type >>> 8);
    return page;
  }

  private static List<Sample> samples() {
    List<Sample> samples = new ArrayList<>();
    byte[] leaf = btree(0, BtreePage.LEAF);
    byte[] inner = btree(1, 0);
    byte[] none = new byte[0];
    byte[] meta = new byte[28];
    byte[] two = join(tuple(1, 2, 3), tuple(4, 5, 6));
    sample(samples, 11, 0x00, u16s(5), 0, tuple(3, 3, 3), leaf);
    sample(samples, 11, 0x10, u16s(5), 1, none, leaf);
    sample(samples, 11, 0x20, u16s(5), 2, meta, leaf);
    sample(samples, 11, 0x30, join(i32s(0), u16s(9, 4, 0)), 0, two, leaf, 1);
    sample(samples, 11, 0x40, join(i32s(0), u16s(9, 7, 2)), 0, two, leaf, 1);
    sample(samples, 11, 0x30, join(i32s(1), u16s(9, 4, 0)), 1, two, inner, 0);
    sample(samples, 11, 0x50, u16s(2), 0, join(u16s(2), tuple(3, 3, 3)), leaf);
    sample(samples, 11, 0x60, u16s(2), 0, u16s(2, 4, 7, 4), leaf);
    sample(samples, 11, 0x70, join(i32s(9), u16s(3, 1)), 0, u16s(2, 5, 7, 1, 2, 0, 2), leaf);
    sample(samples, 11, 0xC0, u16s(3, 1), 0, u16s(2, 5, 7, 1, 2, 0, 2), leaf);
    for (int block = 0; block < 4; block++) {
      sample(samples, 11, 0x80, new byte[36], block, none, leaf);
    }
    sample(samples, 11, 0xA0, i32s(3, 1), 0, two, inner);
    sample(samples, 11, 0xB0, join(u16s(3, 0), i32s(1, 2, 3, 4)), 1, none, inner);
    hashSamples(samples);
    byte[] data = ginLeaf();
    byte[] changes =
        join(
            u16s(3),
            new byte[] {0, 4, 2, 0, 0, 0, 9, 0, 1, 0, 0, 0, 9, 1, 1, 0, 1, 1, 2, 2},
            new byte[8]);
    sample(samples, 13, 0x10, join(i32s(16), new byte[16]), 0, none, data);
    sample(samples, 13, 0x20, u16s(3), 0, changes, data);
    sample(samples, 13, 0x90, none, 0, changes, data);
    sample(
        samples,
        13,
        0x20,
        u16s(0, 0, 1, 0, 2),
        0,
        join(new byte[] {3, 0, 1, 0}, tuple(1, 2, 3)),
        gin(0));
    byte[] tree = gin(GinPage.DATA);
    tree[GinPage.MAX_OFF] = 9;
    sample(samples, 13, 0x20, u16s(1, 0, 1, 0, 2), 0, join(u16s(3), new byte[10]), tree);
    sample(samples, 13, 0x50, join(u16s(3, 0), i32s(1, 2)), 1, none, tree);
    sample(samples, 13, 0x60, join(new byte[80], i32s(2)), 1, two, gin(GinPage.LIST));
    sample(samples, 13, 0x70, i32s(4, 2), 0, two, gin(GinPage.LIST));
    byte[] gistLeaf = gist(GistPage.LEAF | GistPage.HAS_GARBAGE, 20);
    byte[] gistInner = gist(0, 20);
    byte[] split = join(i32s(-1, 0, 7, 0), new byte[] {1, 0, 2, 0, 1, 0, 0, 0});
    sample(samples, 14, 0x00, u16s(1, 1), 0, join(u16s(4), tuple(1, 2, 3)), gistInner, 1);
    sample(samples, 14, 0x00, u16s(3, 2), 0, join(u16s(4, 6, 9), two), gistLeaf);
    sample(samples, 14, 0x00, u16s(1, 2), 1, none, gistLeaf, 0);
    sample(samples, 14, 0x10, join(i32s(9), u16s(3, 0), u16s(1, 5, 6)), 0, none, gistLeaf);
    sample(samples, 14, 0x30, split, 0, none, gistLeaf, 1, 2);
    sample(samples, 14, 0x30, split, 1, join(i32s(2), two), gistLeaf, 2);
    sample(samples, 14, 0x30, split, 2, join(i32s(2), two), gistLeaf, 1);
    sample(samples, 14, 0x60, join(i32s(9, 0), u16s(3)), 0, none, gist(GistPage.LEAF, 0), 1);
    sample(samples, 14, 0x60, join(i32s(9, 0), u16s(3)), 1, none, gistInner, 0);
    spgistSamples(samples);
    sample(samples, 17, 0x10, join(i32s(4000, 8), u16s(21)), 0, tuple(1, 2, 3), brin(0xF093));
    sample(samples, 17, 0x10, join(i32s(4000, 8), u16s(21)), 1, none, brin(0xF092), 0);
    sample(samples, 17, 0x20, join(u16s(3, 0), i32s(4000, 8), u16s(21)), 2, none, brin(0xF093));
    sample(samples, 17, 0x30, u16s(3), 0, two, brin(0xF093));
    sample(samples, 17, 0x40, i32s(3), 0, none, brin(0xF091));
    sample(samples, 17, 0x50, join(i32s(8, 4000), u16s(3)), 1, none, brin(0xF093));
    sample(samples, 20, 0x00, none, 0, u16s(100, 4, 1, 1, 8000, 2, 7), leaf);
    return samples;
  }

  private static void sample(
      List<Sample> samples,
      int rmid,
      int info,
      byte[] main,
      int block,
      byte[] data,
      byte[] page,
      int... others) {
    samples.add(new Sample(BlockRecords.of(rmid, info, main, block, data, others), block, page));
  }

  @Test
  void samplesAreSound() {
    for (Sample sample : samples()) {
      Redo.apply(
          sample.record,
          sample.block,
          true,
          sample.page.clone(),
          new RedoContext(PostgresMajor.V18, false));
    }
  }

  @Test
  void damageIsAnError() {
    List<Sample> samples = samples();
    RedoContext context = new RedoContext(PostgresMajor.V17, false);
    int[] failed = new int[1];
    assertTimeoutPreemptively(
        Duration.ofSeconds(60),
        () -> {
          for (int round = 0; round < ROUNDS; round++) {
            Random random = new Random(SEED + round);
            Sample sample = samples.get(round % samples.size());
            WalRecord record = sample.record;
            byte[] sound = record.bytes;
            int soundMain = record.mainLength;
            int soundData = record.blockDataLength[sample.block];
            byte[] page = sample.page.clone();
            record.bytes = damaged(random, sound, 3, sound.length);
            if (random.nextInt(4) == 0) {
              record.mainLength = random.nextInt(soundMain + 1);
            }
            if (random.nextInt(4) == 0) {
              record.blockDataLength[sample.block] = random.nextInt(soundData + 1);
            }
            if (random.nextBoolean()) {
              page = damaged(random, page, 4, 200);
            }
            if (random.nextInt(3) == 0) {
              int at = Page.SIZE - 1 - random.nextInt(24);
              page[at] = (byte) random.nextInt();
            }
            try {
              Redo.apply(record, sample.block, true, page, context);
            } catch (RedoException e) {
              failed[0]++;
            } catch (Throwable e) {
              throw new AssertionError("seed " + (SEED + round), e);
            } finally {
              record.bytes = sound;
              record.mainLength = soundMain;
              record.blockDataLength[sample.block] = soundData;
            }
          }
        });
    assertTrue(failed[0] > ROUNDS / 20, () -> failed[0] + " refused");
  }

  private static byte[] damaged(Random random, byte[] bytes, int most, int range) {
    byte[] damaged = bytes.clone();
    for (int i = random.nextInt(most + 1); i > 0 && range > 0; i--) {
      int at = random.nextInt(range);
      damaged[at] = random.nextInt(3) == 0 ? (byte) -1 : (byte) random.nextInt();
    }
    return damaged;
  }
}
