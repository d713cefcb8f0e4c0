package dev.varve.testkit;

import java.io.IOException;
import java.io.StringReader;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicLong;
import org.postgresql.PGConnection;

/**
 * pgbench's tables and its TPC-B-like transaction, through JDBC, so that nothing has to be
 * installed. Table and column names are pgbench's.
 */
public final class TpcB {
  private static final int ACCOUNTS = 100_000;
  private static final int TELLERS = 10;

  private final PostgresServer server;
  private final int scale;

  /**
   * @param scale as pgbench's: 100,000 accounts each
   */
  public TpcB(PostgresServer server, int scale) {
    this.server = server;
    this.scale = scale;
  }

  /** Makes and fills the tables, as {@code pgbench --initialize}. */
  public void initialize() throws SQLException, IOException {
    try (Connection connection = server.connect("postgres");
        Statement statement = connection.createStatement()) {
      statement.execute(
          "drop table if exists pgbench_accounts, pgbench_branches, pgbench_history, pgbench_tellers");
      statement.execute(
          "create table pgbench_history(tid int, bid int, aid int, delta int, mtime timestamp, filler char(22))");
      statement.execute(
          "create table pgbench_tellers(tid int not null, bid int, tbalance int, filler char(84)) with (fillfactor=100)");
      statement.execute(
          "create table pgbench_accounts(aid int not null, bid int, abalance int, filler char(84)) with (fillfactor=100)");
      statement.execute(
          "create table pgbench_branches(bid int not null, bbalance int, filler char(88)) with (fillfactor=100)");
      StringBuilder rows = new StringBuilder();
      for (int bid = 1; bid <= scale; bid++) {
        rows.append(bid).append("\t0\t\n");
      }
      copy(connection, "pgbench_branches", rows);
      for (int tid = 1; tid <= scale * TELLERS; tid++) {
        rows.append(tid).append('\t').append((tid - 1) / TELLERS + 1).append("\t0\t\n");
      }
      copy(connection, "pgbench_tellers", rows);
      for (int aid = 1; aid <= scale * ACCOUNTS; aid++) {
        rows.append(aid).append('\t').append((aid - 1) / ACCOUNTS + 1).append("\t0\t\n");
        if (aid % 50_000 == 0) {
          copy(connection, "pgbench_accounts", rows);
        }
      }
      statement.execute("alter table pgbench_branches add primary key (bid)");
      statement.execute("alter table pgbench_tellers add primary key (tid)");
      statement.execute("alter table pgbench_accounts add primary key (aid)");
      statement.execute("vacuum analyze");
    }
  }

  /** {@code COPY}s rows in PostgreSQL's text format into a table, and leaves none. */
  public static void copy(Connection connection, String table, StringBuilder rows)
      throws SQLException, IOException {
    connection
        .unwrap(PGConnection.class)
        .getCopyAPI()
        .copyIn("copy " + table + " from stdin", new StringReader(rows.toString()));
    rows.setLength(0);
  }

  /** When a client stops. */
  public interface Until {
    /**
     * @param done transactions of this client so far
     */
    boolean enough(long done);
  }

  /**
   * Runs transactions on so many connections until each has enough.
   *
   * @return how many there were in all
   */
  public long run(int clients, long seed, Until until) throws InterruptedException {
    AtomicLong done = new AtomicLong();
    List<Thread> threads = new ArrayList<>();
    List<SQLException> failures = new ArrayList<>();
    for (int client = 0; client < clients; client++) {
      SplittableRandom random = new SplittableRandom(seed + client);
      threads.add(
          Thread.ofPlatform()
              .start(() -> {
                try {
                  client(random, until, done);
                } catch (SQLException e) {
                  synchronized (failures) {
                    failures.add(e);
                  }
                }
              }));
    }
    for (Thread thread : threads) {
      thread.join();
    }
    if (!failures.isEmpty()) {
      throw new IllegalStateException("a client failed", failures.getFirst());
    }
    return done.get();
  }

  private void client(SplittableRandom random, Until until, AtomicLong done) throws SQLException {
    try (Connection connection = server.connect("postgres");
        PreparedStatement account =
            connection.prepareStatement(
                "update pgbench_accounts set abalance = abalance + ? where aid = ?");
        PreparedStatement select =
            connection.prepareStatement("select abalance from pgbench_accounts where aid = ?");
        PreparedStatement teller =
            connection.prepareStatement(
                "update pgbench_tellers set tbalance = tbalance + ? where tid = ?");
        PreparedStatement branch =
            connection.prepareStatement(
                "update pgbench_branches set bbalance = bbalance + ? where bid = ?");
        PreparedStatement history =
            connection.prepareStatement(
                "insert into pgbench_history (tid, bid, aid, delta, mtime) values (?, ?, ?, ?, current_timestamp)")) {
      connection.setAutoCommit(false);
      for (long own = 0; !until.enough(own); own++) {
        int aid = random.nextInt(scale * ACCOUNTS) + 1;
        int bid = random.nextInt(scale) + 1;
        int tid = random.nextInt(scale * TELLERS) + 1;
        int delta = random.nextInt(10_001) - 5_000;
        update(account, delta, aid);
        select.setInt(1, aid);
        select.executeQuery().close();
        update(teller, delta, tid);
        update(branch, delta, bid);
        history.setInt(1, tid);
        history.setInt(2, bid);
        history.setInt(3, aid);
        history.setInt(4, delta);
        history.executeUpdate();
        connection.commit();
        done.incrementAndGet();
      }
    }
  }

  private static void update(PreparedStatement statement, int delta, int id) throws SQLException {
    statement.setInt(1, delta);
    statement.setInt(2, id);
    statement.executeUpdate();
  }
}
