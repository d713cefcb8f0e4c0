package dev.varve.server.source;

import java.io.IOException;
import java.net.ProtocolException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** One row of a result, its columns as the server sent them. */
final class ResultRow {
  private final List<byte @Nullable []> columns;

  ResultRow(List<byte @Nullable []> columns) {
    this.columns = columns;
  }

  /** The column as text, counted from 0; null is SQL's. */
  @Nullable String get(int column) throws IOException {
    byte[] value = bytes(column);
    return value == null ? null : new String(value, StandardCharsets.UTF_8);
  }

  /** The column as it came. */
  byte @Nullable [] bytes(int column) throws IOException {
    if (column >= columns.size()) {
      throw new ProtocolException(
          "the server answered with " + columns.size() + " columns, expected more than " + column);
    }
    return columns.get(column);
  }

  /** The column, which must not be null. */
  String require(int column) throws IOException {
    String value = get(column);
    if (value == null) {
      throw new ProtocolException("the server answered null in column " + column);
    }
    return value;
  }
}
