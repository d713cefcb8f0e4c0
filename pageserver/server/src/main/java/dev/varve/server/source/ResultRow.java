package dev.varve.server.source;

import java.io.IOException;
import java.net.ProtocolException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** One row of a result, its columns as text. */
final class ResultRow {
  private final List<@Nullable String> columns;

  ResultRow(List<@Nullable String> columns) {
    this.columns = columns;
  }

  /** The column, counted from 0; null is SQL's. */
  @Nullable String get(int column) throws IOException {
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
