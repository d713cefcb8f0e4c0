package dev.varve.server.metrics;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Arrays;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** docs/operations/metrics.md has one line for each metric, and it is the code's. */
final class MetricsDocumentTest {
  @Test
  void documentSaysWhatTheCodeDoes() throws Exception {
    Map<String, String> wanted =
        Arrays.stream(MetricName.values())
            .map(MetricsDocument::line)
            .collect(
                Collectors.toMap(
                    line -> line.split("`", -1)[1],
                    Function.identity(),
                    (a, b) -> a + b,
                    TreeMap::new));
    assertEquals(
        String.join("\n", wanted.values()), String.join("\n", MetricsDocument.read().values()));
  }
}
