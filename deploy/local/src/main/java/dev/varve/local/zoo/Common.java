package dev.varve.local.zoo;

import java.sql.SQLException;
import java.util.LinkedHashMap;
import java.util.Map;

/** What every animal has, so that each comparison has something to compare. */
final class Common {
  private static final String ROLE = "zoo_login";
  private static final String PASSWORD = "zoo's own";

  private Common() {}

  static void build(Habitat habitat) throws SQLException {
    habitat.execute(
        "create table zoo_common(id serial primary key, t text)",
        "insert into zoo_common(t) select repeat(i::text, 1 + i % 300) from generate_series(1, 2000) i",
        "create index on zoo_common(t)",
        "create unlogged table zoo_unlogged as select generate_series(1, 100) i",
        "create sequence zoo_sequence increment by 7",
        "select nextval('zoo_sequence') from generate_series(1, 50)",
        "select lo_from_bytea(0, convert_to(repeat('varve', 2000), 'SQL_ASCII'))",
        "create role " + ROLE + " login password '" + PASSWORD.replace("'", "''") + "'",
        "analyze");
  }

  static void attached(Habitat habitat) throws SQLException {
    habitat.execute(
        "insert into zoo_common(t) select repeat(i::text, 1 + i % 100) from generate_series(1, 500) i",
        "update zoo_common set t = t || 'x' where id % 4 = 0",
        "delete from zoo_common where id % 5 = 0",
        "create table zoo_later as select * from zoo_common",
        "create table zoo_gone as select * from zoo_common",
        "drop table zoo_gone",
        "select nextval('zoo_sequence') from generate_series(1, 50)",
        "vacuum zoo_common");
  }

  /** Passwords by role: the animal's own, and one that all have. */
  static Map<String, String> logins(Animal animal) {
    Map<String, String> logins = new LinkedHashMap<>(animal.logins());
    logins.put(ROLE, PASSWORD);
    return logins;
  }
}
