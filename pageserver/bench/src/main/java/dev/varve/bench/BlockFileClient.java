package dev.varve.bench;

import dev.varve.testkit.PostgresServer;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;

/** The rival: the same blocks read from a stock server, one statement a block, in binary. */
final class BlockFileClient implements AutoCloseable {
  private static final int PAGE = 8192;

  private final Connection connection;
  private final PreparedStatement statement;

  /**
   * @param file of the relation, below the data directory
   */
  BlockFileClient(PostgresServer server, String file) throws SQLException {
    connection = server.connect("postgres");
    statement = connection.prepareStatement("select pg_read_binary_file(?, ?, " + PAGE + ")");
    statement.setString(1, file);
  }

  void read(int block) throws SQLException {
    statement.setLong(2, (long) block * PAGE);
    try (ResultSet rows = statement.executeQuery()) {
      if (!rows.next() || rows.getBytes(1).length != PAGE) {
        throw new IllegalStateException("block " + block + " is not there");
      }
    }
  }

  @Override
  public void close() throws SQLException {
    connection.close();
  }
}
