package dev.varve.engine.redo;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

final class HintLoggingTest {
  @Test
  void aRecordIsJudgedByWhatHeldBeforeItsEnd() {
    HintLogging logging =
        HintLogging.always(false).changedAt(100, true).changedAt(200, false).changedAt(-8, true);
    assertFalse(logging.at(8));
    assertFalse(logging.at(100), "the record of the change itself");
    assertTrue(logging.at(108));
    assertTrue(logging.at(200));
    assertFalse(logging.at(208));
    assertFalse(logging.at(-8));
    assertTrue(logging.at(-1), "LSNs are unsigned");
  }

  @Test
  void whatChangesNothingIsNoChange() {
    HintLogging on = HintLogging.always(true);
    assertSame(on, on.changedAt(100, true));
    assertTrue(on.changedAt(100, false).at(100));
  }

  @Test
  void changesComeInOrder() {
    HintLogging logging = HintLogging.always(false).changedAt(100, true);
    assertThrows(IllegalArgumentException.class, () -> logging.changedAt(100, false));
  }
}
