package dev.varve.local.zoo;

import java.util.List;
import java.util.stream.Collectors;

/** Names and values as nobody expects them. */
final class NameAnimals {
  /** 63 bytes of which the last character is two. */
  private static final String LONGEST = "n".repeat(61) + "ü";

  private NameAnimals() {}

  static List<Animal> all() {
    return List.of(
        Animal.named("names", "databases, roles, schemas, slots: quotes, blanks, umlauts, 63 bytes")
            .built(habitat -> {
              for (String name : NAMES) {
                String quoted = quoted(name);
                habitat.execute(
                    "create role " + quoted + " login password '" + name.replace("'", "''") + "'",
                    "create database " + quoted + " owner " + quoted,
                    "create schema " + quoted + " authorization " + quoted,
                    "create table " + quoted + "." + quoted + " as select generate_series(1, 10) i",
                    "alter database " + quoted + " set search_path = " + quoted + ", public",
                    "alter role "
                        + quoted
                        + " in database "
                        + quoted
                        + " set timezone = 'Asia/Tokyo'",
                    "comment on role " + quoted + " is '" + name.replace("'", "''") + "'");
                habitat.executeIn(name, "create table t(i int)");
              }
            })
            .login(NAMES.get(0), NAMES.get(0))
            .login(NAMES.get(1), NAMES.get(1))
            .login(NAMES.get(2), NAMES.get(2))
            .login(NAMES.get(3), NAMES.get(3)),
        Animal.named(
                "odd-values", "settings with quotes, backslashes, newlines, blanks, units, lists")
            .configured(habitat ->
                Habitat.append(
                    habitat.primary().dataDirectory().resolve("postgresql.conf"),
                    """

                    search_path = '"$user", "with ""quote\""", "it''s", "back\\\\slash", "new\\nline", " lead", "Größe", "a,b", "", public, pg_temp'
                    timezone = '<+0530>-05:30'
                    timezone_abbreviations = India
                    DateStyle = 'sql,   ymd'
                    default_tablespace = ''
                    temp_tablespaces = '"Mit Blank", ""'
                    min_parallel_table_scan_size = 0x100
                    min_parallel_index_scan_size = 1GB
                    autovacuum_freeze_max_age = '2e9'
                    vacuum_freeze_min_age = 1000000000
                    vacuum_freeze_table_age = 2000000000
                    default_statistics_target = 10000
                    cursor_tuple_fraction = '1e-5'
                    random_page_cost = '1.1e10'
                    cpu_tuple_cost = 0
                    seq_page_cost = '1e-300'
                    recursive_worktable_factor = 1000000
                    extra_float_digits = -15
                    geqo_seed = 0.123456789
                    gin_fuzzy_search_limit = 2147483647
                    backslash_quote = safe_encoding
                    session_replication_role = local
                    row_security = no
                    createrole_self_grant = 'set, inherit'
                    icu_validation_level = disabled
                    restrict_nonsystem_relation_kind = 'view, foreign-table'
                    event_source = 'Ereignis \\'quoted\\' \\\\ '
                    """
                        .lines()
                        .filter(line ->
                            habitat.major() >= 16
                                || !line.startsWith("createrole") && !line.startsWith("icu_val"))
                        .collect(Collectors.joining("\n", "", "\n")))),
        Animal.named("role-settings", "settings of roles at login: roles, libraries, broken ones")
            .built(
                "create role acting login password 'a'",
                "create role other",
                "grant other to acting",
                "alter role acting set role = other",
                "create role lacking login password 'l'",
                "alter role lacking set session_preload_libraries = 'no such library'",
                "create role read_only login password 'r'",
                "alter role read_only set default_transaction_read_only = on",
                "create role odd login password 'o'",
                "alter role odd set search_path = '', '\"$user\"', ' x ', E'new\\nline', 'it''s'",
                "alter role odd set \"my.Value\" = E' lead \\\\ back \\n line '",
                "create role zoned login password 'z' valid until '2999-01-01'",
                "alter role zoned set timezone from current",
                "alter role all set my.everybody = 'x'",
                "alter database postgres set session_preload_libraries = 'auto_explain'",
                "alter database postgres set auto_explain.log_min_duration = '1h'")
            .shows("my.everybody")
            .login("acting", "a")
            .login("lacking", "l")
            .login("read_only", "r")
            .login("odd", "o")
            .login("zoned", "z"),
        Animal.named("passwords", "passwords of all kinds: long, Unicode, empty, hashed elsewhere")
            .built(
                "create role unicode login password 'pÄßwörd ☃ \u00AD x'",
                "create role long login password '" + "x".repeat(900) + "'",
                "create role empty login password ''",
                "create role blank login password ' '",
                "create role quotes login password 'it''s \"\\ '",
                "create role looks login password 'SCRAM-SHA-256$nonsense'",
                "create role plain_md5 login password 'md5" + "a".repeat(32) + "'",
                "create role no_password login password null",
                "create role \"pg zoo\" login password 'g' replication bypassrls connection limit 1")
            .login("unicode", "pÄßwörd ☃ \u00AD x")
            .login("long", "x".repeat(900))
            .login("empty", "x")
            .login("blank", " ")
            .login("quotes", "it's \"\\ ")
            .login("looks", "SCRAM-SHA-256$nonsense")
            .login("plain_md5", "x")
            .login("no_password", "x")
            .login("pg zoo", "g"));
  }

  private static final List<String> NAMES =
      List.of(
          "It's \"quoted\" \\ back",
          " lead and trail ",
          LONGEST,
          "Größe ☃ #1",
          "new\nline",
          "a,b=c%20?x/y:@");

  private static String quoted(String name) {
    return "\"" + name.replace("\"", "\"\"") + "\"";
  }
}
