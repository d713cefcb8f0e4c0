package dev.varve.engine.ingest;

import static dev.varve.engine.bytes.LittleEndian.putI32;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.engine.catalog.ClusterState;
import dev.varve.engine.catalog.RelationDictionary;
import dev.varve.engine.catalog.SlruBounds;
import dev.varve.engine.postgres.CheckPoint;
import dev.varve.engine.redo.ClusterEffects;
import dev.varve.engine.redo.Slru;
import org.junit.jupiter.api.Test;

/** What is left of SLRUs, and of the ids that may be looked up in them. */
final class SlruTruncationTest {
  private static final int PG_XACT = ClusterEffects.PG_XACT;
  private static final int COMMIT_TS = ClusterEffects.COMMIT_TS;

  @Test
  void wholeSegmentsGo() {
    SlruBounds bounds = new SlruBounds(0, 100);
    assertEquals(bounds, bounds.truncated(PG_XACT, 31));
    assertEquals(new SlruBounds(32, 100), bounds.truncated(PG_XACT, 32));
    assertEquals(new SlruBounds(64, 100), bounds.truncated(PG_XACT, 95));
    assertEquals(new SlruBounds(64, 100), bounds.truncated(ClusterEffects.MULTIXACT_MEMBERS, 70));
  }

  @Test
  void nothingGoesBeforeWhatIsThere() {
    SlruBounds bounds = new SlruBounds(960, 1001);
    assertEquals(bounds, bounds.truncated(COMMIT_TS, 900));
    assertEquals(bounds, bounds.truncated(ClusterEffects.MULTIXACT_MEMBERS, 900));
    assertEquals(SlruBounds.NONE, SlruBounds.NONE.truncated(COMMIT_TS, 900));
  }

  /** The circle's last segment reaches into its first one, and goes with that. */
  @Test
  void aSegmentAcrossTheEndOfTheCircleStaysLonger() {
    long last = Slru.pages(COMMIT_TS) - 1;
    assertEquals(0, last % Slru.PAGES_PER_SEGMENT, "a segment of one page");
    SlruBounds bounds = new SlruBounds(last, 50);
    assertEquals(bounds, bounds.truncated(COMMIT_TS, 3));
    assertEquals(new SlruBounds(32, 50), bounds.truncated(COMMIT_TS, 40));
  }

  @Test
  void anOlderPageLiesBefore() {
    long pages = Slru.pages(COMMIT_TS);
    SlruBounds bounds = new SlruBounds(96, 101);
    assertTrue(bounds.follows(90, pages));
    assertEquals(new SlruBounds(64, 101), bounds.withPage(90, pages));
    assertFalse(bounds.follows(101, pages));
    assertFalse(new SlruBounds(pages - 32, pages).follows(0, pages));
  }

  /** A checkpoint's record has the limits as they were when the checkpoint began. */
  @Test
  void aCheckpointDoesNotMoveCommitTimestampsBack() {
    ClusterState state = new ClusterState((key, bytes, length) -> {}, new RelationDictionary());
    state.setCounter(CheckPoint.OLDEST_COMMIT_TS_XID, 300);
    state.setCounter(CheckPoint.NEWEST_COMMIT_TS_XID, 500);
    byte[] checkPoint = new byte[CheckPoint.SIZE];
    putI32(checkPoint, CheckPoint.OLDEST_COMMIT_TS_XID, 200);
    putI32(checkPoint, CheckPoint.NEWEST_COMMIT_TS_XID, 400);
    state.checkpoint(false, checkPoint, 0);
    assertEquals(300, state.counter(CheckPoint.OLDEST_COMMIT_TS_XID));
    assertEquals(500, state.counter(CheckPoint.NEWEST_COMMIT_TS_XID));
  }
}
