package dev.varve.engine.catalog;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.engine.redo.ClusterEffects;
import dev.varve.engine.redo.Slru;
import java.util.NavigableMap;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/** The circle of page numbers: its end, and what the files of a base backup say. */
final class SlruBoundsTest {
  private static final long XACT = Slru.pages(ClusterEffects.PG_XACT);
  private static final long MEMBERS = Slru.pages(ClusterEffects.MULTIXACT_MEMBERS);
  private static final int LAST_MEMBERS_SEGMENT = 82040;

  @Test
  void circlesAreAsLongAsPostgresHasThem() {
    assertEquals(131072, XACT);
    assertEquals(2097152, Slru.pages(ClusterEffects.MULTIXACT_OFFSETS));
    assertEquals(2625286, MEMBERS);
    assertEquals(5244161, Slru.pages(ClusterEffects.COMMIT_TS));
  }

  @Test
  void zeroFollowsTheLastPage() {
    SlruBounds last = new SlruBounds(131000, 131071).withPage(131071, XACT);
    assertEquals(new SlruBounds(131000, 0), last);
    assertTrue(last.contains(131071));
    assertFalse(last.contains(0));
    SlruBounds wrapped = last.withPage(0, XACT);
    assertEquals(new SlruBounds(131000, 1), wrapped);
    assertTrue(wrapped.contains(0));
    assertFalse(wrapped.contains(1));
    assertEquals(new SlruBounds(131040, 0), SlruBounds.NONE.withPage(131071, XACT));
  }

  @Test
  void truncationRemovesOnlyWhatIsThere() {
    int members = ClusterEffects.MULTIXACT_MEMBERS;
    SlruBounds bounds = new SlruBounds(64, 200);
    assertEquals(new SlruBounds(128, 200), bounds.truncated(members, 150));
    assertEquals(bounds, bounds.truncated(members, 5));
    assertEquals(bounds, bounds.truncated(members, 201));
    assertEquals(SlruBounds.NONE, SlruBounds.NONE.truncated(ClusterEffects.COMMIT_TS, 7));
    // Nothing is left up to the end of the circle, and not all of it.
    SlruBounds last = new SlruBounds(131000, 0);
    SlruBounds cut = last.truncated(ClusterEffects.PG_XACT, 0);
    assertTrue(cut.isEmpty(), cut::toString);
    SlruBounds wrapped = new SlruBounds(82000 * 32, 3).truncated(members, 1);
    assertEquals(new SlruBounds(0, 3), wrapped);
  }

  @Test
  void filesOfAYoungCluster() {
    assertEquals(new SlruBounds(0, 1), SlruBounds.ofFiles(files(0, 1), XACT));
    assertEquals(new SlruBounds(64, 107), SlruBounds.ofFiles(files(2, 32, 3, 11), XACT));
    assertEquals(SlruBounds.NONE, SlruBounds.ofFiles(new TreeMap<>(), XACT));
  }

  @Test
  void filesThatWrapped() {
    NavigableMap<Integer, Integer> files =
        files(82038, 32, 82039, 32, LAST_MEMBERS_SEGMENT, 6, 0, 32, 1, 3);
    assertEquals(new SlruBounds(82038 * 32, 35), SlruBounds.ofFiles(files, MEMBERS));
  }

  @Test
  void moreThanHalfOfTheCircle() {
    NavigableMap<Integer, Integer> files = new TreeMap<>();
    for (int segment = 0; segment < LAST_MEMBERS_SEGMENT; segment++) {
      files.put(segment, 32);
    }
    files.put(LAST_MEMBERS_SEGMENT, 6);
    files.remove(701);
    files.remove(702);
    assertEquals(new SlruBounds(703 * 32, 701 * 32), SlruBounds.ofFiles(files, MEMBERS));
  }

  @Test
  void theNewestFileIsTheLastOfTheCircle() {
    assertEquals(
        new SlruBounds(82039 * 32, 0),
        SlruBounds.ofFiles(files(82039, 32, LAST_MEMBERS_SEGMENT, 6), MEMBERS));
    assertEquals(new SlruBounds(4095 * 32, 0), SlruBounds.ofFiles(files(4095, 32), XACT));
  }

  @Test
  void filesWithGaps() {
    assertEquals(
        new SlruBounds(0, 1900 * 32 + 1), SlruBounds.ofFiles(files(0, 1, 1840, 32, 1900, 1), XACT));
    assertEquals(
        new SlruBounds(4092 * 32, 1), SlruBounds.ofFiles(files(0, 1, 4092, 32, 4095, 32), XACT));
  }

  private static NavigableMap<Integer, Integer> files(int... segmentsAndPages) {
    NavigableMap<Integer, Integer> files = new TreeMap<>();
    for (int i = 0; i < segmentsAndPages.length; i += 2) {
      files.put(segmentsAndPages[i], segmentsAndPages[i + 1]);
    }
    return files;
  }
}
