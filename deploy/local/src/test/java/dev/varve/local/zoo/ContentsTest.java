package dev.varve.local.zoo;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class ContentsTest {
  /** Next value, increment and cache of a sequence, and the copy's next value. */
  @ParameterizedTest
  @CsvSource({
    "100 7 1, 100, true",
    "100 7 1, 331, true",
    "100 7 1, 99, false",
    "100 7 1, 338, false",
    "-100 -7 1, -331, true",
    "-100 -7 1, -99, false",
    "-100 -7 1, -338, false",
    "100 7 20, 464, true",
    "100 7 20, 471, false"
  })
  void aSequenceGoesAheadByItsWalAtMost(String original, String copy, boolean allowed) {
    String rest = original.substring(original.indexOf(' '));
    List<String> complaints =
        Contents.behind(
            new TreeMap<>(Map.of("s", original)), new TreeMap<>(Map.of("s", copy + rest)));
    assertEquals(allowed, complaints.isEmpty(), complaints.toString());
  }
}
