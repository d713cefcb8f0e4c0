package dev.varve.server.source;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

final class PrimarySettingsTest {
  @Test
  void aValueInAnotherEncodingIsKeptByteByByte() {
    assertEquals(
        "\"Gr\uF7F6\uF7DFe\"",
        PrimarySettings.text("\"Größe\"".getBytes(StandardCharsets.ISO_8859_1)));
    assertEquals("\"Größe\"", PrimarySettings.text("\"Größe\"".getBytes(StandardCharsets.UTF_8)));
  }

  @Test
  void noValueIsTakenForTheBytesOfAnother() {
    assertEquals(
        "\uF7EF\uF79F\uF7B6", PrimarySettings.text("\uF7F6".getBytes(StandardCharsets.UTF_8)));
  }
}
