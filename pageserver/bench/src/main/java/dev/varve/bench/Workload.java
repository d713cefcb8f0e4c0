package dev.varve.bench;

import dev.varve.testkit.PostgresServer;
import dev.varve.testkit.TpcB;
import java.io.IOException;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.SplittableRandom;

/** What makes the WAL of a {@link RecordedLoad}, by several clients at once. */
enum Workload {
  /**
   * pgbench's TPC-B-like transactions. They run in PL/pgSQL, so that making the WAL does not take
   * long; what they log is what pgbench's log.
   */
  TRANSACTIONS("pgbench transactions") {
    @Override
    void batch(Connection connection, int scale) throws SQLException {
      execute(
          connection,
          """
          do $$
          declare
            a int; b int; t int; d int;
          begin
            for i in 1..%d loop
              a := 1 + floor(random() * %d); b := 1 + floor(random() * %d); t := 1 + floor(random() * %d); d := floor(random() * 10001) - 5000;
              update pgbench_accounts set abalance = abalance + d where aid = a;
              update pgbench_tellers set tbalance = tbalance + d where tid = t;
              update pgbench_branches set bbalance = bbalance + d where bid = b;
              insert into pgbench_history(tid, bid, aid, delta, mtime) values (t, b, a, d, current_timestamp);
              commit;
            end loop;
          end $$\
          """
              .formatted(BATCH, scale * 100_000, scale, scale * 10));
    }
  },

  /** Rows of 96 random characters under a primary key, each inserted by itself. */
  SMALL_VALUES("100-byte values") {
    @Override
    void batch(Connection connection, int scale) throws SQLException {
      execute(connection, INSERTS.formatted(10 * BATCH, 3));
    }
  },

  /** Rows of 8,192 random characters, kept out of line as they are. */
  LARGE_VALUES("8-kB values") {
    @Override
    void batch(Connection connection, int scale) throws SQLException {
      execute(connection, INSERTS.formatted(BATCH / 4, 256));
    }
  },

  /** {@code COPY} into a table without an index, as a bulk load does it. */
  BULK_LOAD("COPY") {
    @Override
    void batch(Connection connection, int scale) throws SQLException, IOException {
      SplittableRandom random = new SplittableRandom();
      StringBuilder rows = new StringBuilder();
      for (int row = 0; row < 20 * BATCH; row++) {
        rows.append(row)
            .append('\t')
            .append(random.nextInt())
            .append("\t0\t")
            .append(Long.toHexString(random.nextLong()))
            .append('\n');
      }
      TpcB.copy(connection, "loaded", rows);
    }
  };

  private static final int BATCH = 2000;

  private static final String INSERTS =
      """
      do $$
      begin
        for i in 1..%d loop
          insert into valued(v) select string_agg(md5(random()::text), '') from generate_series(1, %d);
          commit;
        end loop;
      end $$\
      """;

  private final String text;

  Workload(String text) {
    this.text = text;
  }

  /** Makes the tables that it writes to, beside pgbench's. */
  void prepare(PostgresServer primary) throws SQLException {
    primary.execute(
        "postgres",
        "create table valued(id bigint generated always as identity primary key, v text)",
        "alter table valued alter column v set storage external",
        "create table loaded(id int, bid int, abalance int, filler char(84))");
  }

  /** One piece of it. */
  abstract void batch(Connection connection, int scale) throws SQLException, IOException;

  private static void execute(Connection connection, String sql) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      statement.execute(sql);
    }
  }

  @Override
  public String toString() {
    return text;
  }
}
