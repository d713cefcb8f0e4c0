package dev.varve.engine.redo;

import dev.varve.testkit.PostgresServer;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.Set;

/**
 * Statements by chance on one table with indexes of the access methods asked for, for long runs of
 * the oracle tests. One session writes; a second one now and then holds a snapshot or row locks, so
 * that dead rows stay and multixacts come. The same seed gives the same statements in the same
 * order.
 */
public final class RandomWorkload {
  /** {@code lock_not_available}: the second session has the row. */
  private static final String LOCK_NOT_AVAILABLE = "55P03";

  private final Random random;
  private final Set<Integer> rmids;
  private int nextId = 1;

  /**
   * A workload.
   *
   * @param rmids resource managers of the index access methods to use, and 20 for generic records
   */
  public RandomWorkload(long seed, Set<Integer> rmids) {
    this.random = new Random(seed);
    this.rmids = rmids;
  }

  /** Runs this many steps in the database {@code postgres}. */
  public void run(PostgresServer server, int steps) throws SQLException {
    try (Connection writer = server.connect("postgres");
        Connection holder = server.connect("postgres");
        Statement statement = writer.createStatement()) {
      for (String sql : tables()) {
        statement.execute(sql);
      }
      holder.setAutoCommit(false);
      boolean holds = false;
      for (int step = 0; step < steps; step++) {
        if (random.nextInt(12) == 0) {
          holds = !holds;
          hold(holder, holds);
        }
        step(statement);
      }
      holder.rollback();
      statement.execute("vacuum (freeze) r");
    }
  }

  private List<String> tables() {
    List<String> sql = new ArrayList<>();
    sql.add(
        "create table r (id int, k int, t text, v int[], b box, x text) with (fillfactor = "
            + (50 + random.nextInt(51))
            + ")");
    sql.add("alter table r alter x set storage external");
    if (rmids.contains(11)) {
      sql.add("create index r_k on r (k)");
      sql.add(
          "create index r_t on r (t, k) with (deduplicate_items = "
              + random.nextBoolean()
              + ", fillfactor = "
              + (60 + random.nextInt(40))
              + ")");
    }
    if (rmids.contains(12)) {
      sql.add("create index r_hash on r using hash (k) with (fillfactor = 20)");
    }
    if (rmids.contains(13)) {
      sql.add(
          "create index r_gin on r using gin (v) with (gin_pending_list_limit = 64, fastupdate = "
              + random.nextBoolean()
              + ")");
    }
    if (rmids.contains(14)) {
      sql.add("create index r_gist on r using gist (b)");
    }
    if (rmids.contains(16)) {
      sql.add("create index r_text on r using spgist (t)");
      sql.add("create index r_box on r using spgist (b)");
    }
    if (rmids.contains(17)) {
      sql.add("create index r_brin on r using brin (k, t) with (pages_per_range = 1)");
    }
    if (rmids.contains(20)) {
      sql.add("create extension if not exists bloom");
      sql.add("create index r_bloom on r using bloom (k, id)");
    }
    sql.add("create sequence s");
    sql.add("set lock_timeout = '50ms'");
    return sql;
  }

  private void hold(Connection holder, boolean holds) throws SQLException {
    if (!holds) {
      holder.rollback();
      return;
    }
    try (Statement statement = holder.createStatement()) {
      String mode = random.nextBoolean() ? "key share" : "share";
      statement.execute(
          random.nextBoolean()
              ? "select count(*) from (select * from r where " + some() + " for " + mode + ") l"
              : "declare held cursor for select * from r");
    }
  }

  private void step(Statement statement) throws SQLException {
    boolean aborts = random.nextInt(8) == 0;
    try {
      switch (random.nextInt(16)) {
        case 0, 1, 2, 3 -> inTransaction(statement, insert(), aborts);
        case 4, 5 -> inTransaction(statement, "delete from r where " + some(), aborts);
        case 6 -> inTransaction(statement, "update r set id = -id where " + some(), aborts);
        case 7 -> inTransaction(statement, "update r set k = k + 1 where " + some(), aborts);
        case 8 ->
            inTransaction(
                statement,
                "update r set t = t || 'u', b = box(point(k, id), point(id, k)), v = v || k where "
                    + some(),
                aborts);
        case 9 -> statement.execute(random.nextInt(3) == 0 ? "vacuum (freeze) r" : "vacuum r");
        case 10 -> lock(statement);
        case 11, 12 -> scan(statement);
        case 13 -> statement.execute("select nextval('s') from generate_series(1, 50)");
        case 14 -> maintain(statement);
        default ->
            inTransaction(
                statement,
                "update r set x = repeat(md5(id::text), "
                    + random.nextInt(200)
                    + ") where "
                    + some(),
                aborts);
      }
    } catch (SQLException e) {
      if (!LOCK_NOT_AVAILABLE.equals(e.getSQLState())) {
        throw e;
      }
      statement.execute("rollback");
    }
  }

  private static void inTransaction(Statement statement, String sql, boolean aborts)
      throws SQLException {
    statement.execute("begin");
    statement.execute("savepoint one");
    statement.execute(sql);
    statement.execute(aborts ? "rollback" : "commit");
  }

  private void lock(Statement statement) throws SQLException {
    String[] modes = {"update", "no key update", "share", "key share"};
    statement.execute(
        "select count(*) from (select * from r where "
            + some()
            + " for "
            + modes[random.nextInt(modes.length)]
            + " skip locked) l");
  }

  /** Reads by index, which marks items that are found dead. */
  private void scan(Statement statement) throws SQLException {
    boolean byIndex = random.nextBoolean();
    statement.execute("set enable_seqscan = " + !byIndex);
    statement.execute("set enable_bitmapscan = " + (byIndex && random.nextBoolean()));
    String[] conditions = {
      "k between 10 and 5000", "k = 7", "t > 'a'", "b && '(5000,5000),(0,0)'::box", "v @> '{3}'"
    };
    statement.execute(
        "select count(x) from r where " + conditions[random.nextInt(conditions.length)]);
    statement.execute("reset enable_seqscan");
  }

  private void maintain(Statement statement) throws SQLException {
    switch (random.nextInt(10)) {
      case 0 -> statement.execute("vacuum full r");
      case 1 -> statement.execute("truncate r");
      case 2 -> statement.execute("reindex table r");
      case 3, 4 -> statement.execute("checkpoint");
      case 5, 6 -> statement.execute("analyze r");
      case 7 -> {
        if (rmids.contains(17)) {
          statement.execute("select brin_desummarize_range('r_brin', " + random.nextInt(30) + ")");
          statement.execute("select brin_summarize_new_values('r_brin')");
        }
      }
      case 8 -> {
        if (rmids.contains(13)) {
          statement.execute("select gin_clean_pending_list('r_gin')");
        }
      }
      default -> statement.execute("copy r (id) from program 'seq 1 300'");
    }
  }

  private String insert() {
    int rows = 1 << random.nextInt(9);
    int first = nextId;
    nextId += rows;
    String key =
        switch (random.nextInt(4)) {
          case 0 -> "i";
          case 1 -> "i % " + (1 + random.nextInt(20));
          case 2 -> "-i";
          default -> "(i * 7919) % 100003";
        };
    return "insert into r select i, "
        + key
        + ", repeat("
        + (random.nextBoolean() ? "'t'" : "md5(i::text)")
        + ", i % "
        + (1 + random.nextInt(12))
        + "), array["
        + key
        + ", i % 5, "
        + "i], box(point("
        + key
        + ", i), point(i % 100, "
        + key
        + ")), "
        + (random.nextInt(6) == 0 ? "repeat('x', i % 5000)" : "null")
        + " from generate_series("
        + first
        + ", "
        + (first + rows - 1)
        + ") i";
  }

  /** A condition that a part of the rows meets: scattered ones or a stretch. */
  private String some() {
    int modulus = 2 + random.nextInt(40);
    if (random.nextInt(3) > 0) {
      return "id % " + modulus + " = " + random.nextInt(modulus);
    }
    int from = random.nextInt(nextId);
    return "id between " + from + " and " + (from + random.nextInt(1000));
  }
}
