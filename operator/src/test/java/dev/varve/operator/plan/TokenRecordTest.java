package dev.varve.operator.plan;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;

import java.time.Duration;
import java.time.Instant;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Which tokens read after what was seen of a Secret. */
final class TokenRecordTest {
  private static final Instant NOW = Instant.parse("2026-01-01T12:00:00Z");
  private static final Duration OVERLAP = Duration.ofMinutes(15);

  private static TokenRecord next(TokenRecord before, String token, Instant now) {
    return TokenRecord.next(before, token, now, OVERLAP);
  }

  @Test
  void theOneBeforeReadsUntilTheOverlapIsOver() {
    TokenRecord first = next(null, "a", NOW);
    assertEquals(List.of("a"), first.accepted());
    assertNull(first.left(NOW));
    assertSame(first, next(first, "a", NOW));

    TokenRecord second = next(first, "b", NOW);
    assertEquals(List.of("b", "a"), second.accepted());
    assertEquals(OVERLAP, second.left(NOW));
    assertSame(second, next(second, "b", NOW.plus(OVERLAP).minusMillis(1)));
    assertEquals(List.of("b"), next(second, "b", NOW.plus(OVERLAP)).accepted());
  }

  @Test
  void twoRotationsRevokeAndOneBackIsARotation() {
    TokenRecord second = next(next(null, "a", NOW), "b", NOW);
    assertEquals(List.of("c", "b"), next(second, "c", NOW).accepted());
    assertEquals(List.of("a", "b"), next(second, "a", NOW).accepted());
  }
}
