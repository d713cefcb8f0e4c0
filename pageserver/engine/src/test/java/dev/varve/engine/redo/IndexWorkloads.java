package dev.varve.engine.redo;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * Statements, to be run one by one in one session, that make PostgreSQL write every kind of index
 * record it can.
 */
public final class IndexWorkloads {
  private IndexWorkloads() {}

  /** Splits of all levels, posting lists, deletion of items and pages. */
  public static List<String> btree() {
    List<String> sql = new ArrayList<>();
    // Wide keys: splits on inner levels, to the left, to the right and in the middle.
    sql.add("create table wide (k text collate \"C\", n int)");
    sql.add("alter table wide alter k set storage plain");
    sql.add("create index wide_k on wide (k) with (deduplicate_items = off)");
    sql.add(
        "insert into wide select repeat(md5((i * 7919 % 2500)::text), 25), i from generate_series(1, 2500) i");
    sql.add(
        "insert into wide select to_char(100000 - i, 'FM000000') || repeat('d', 900), i from generate_series(1, 400) i");
    // Narrow keys, ascending, descending and random.
    sql.add("create table narrow (a int primary key, b int, c int)");
    sql.add("create index narrow_b on narrow (b)");
    sql.add("create index narrow_c on narrow (c)");
    sql.add("insert into narrow select i, -i, (i * 7919) % 10007 from generate_series(1, 12000) i");
    // Duplicates: deduplication, then TIDs from freed heap pages that fall into posting lists.
    sql.add("create table twins (id int, k int)");
    sql.add("create index twins_k on twins (k)");
    sql.add("insert into twins select i, i % 7 from generate_series(1, 8000) i");
    sql.add("delete from twins where id % 5 = 0");
    sql.add("vacuum twins");
    sql.add("insert into twins select i, i % 7 from generate_series(1, 3000) i");
    sql.add("delete from twins where id % 3 = 0 and id < 2500");
    sql.add("vacuum twins");
    sql.add("insert into twins select i, i % 3 from generate_series(1, 3000) i");
    // Few, wide posting lists on a page: TIDs fall into the one at which the page is split.
    sql.add("create table few (id int, k int)");
    sql.add(
        "create index few_k on few (("
            + IntStream.range(0, 18)
                .mapToObj(i -> "md5((k + " + i + ")::text)")
                .collect(Collectors.joining("||"))
            + "))");
    sql.add("insert into few select i, i * 7919 % 41 from generate_series(1, 6000) i");
    for (int i = 0; i < 10; i++) {
      sql.add("delete from few where id % 10 = " + i);
      sql.add("vacuum few");
      sql.add(
          "insert into few select i * 7, (i * 7907 + "
              + i
              + ") % 113 from generate_series(1, 1500) i");
    }
    // Versions that churn: bottom-up deletion, partly of posting lists.
    sql.add("create table churn (id int, k int, v int) with (fillfactor = 50)");
    sql.add("create index churn_k on churn (k)");
    sql.add("create index churn_v on churn (v)");
    sql.add("insert into churn select i, i % 20, i from generate_series(1, 600) i");
    for (int i = 0; i < 25; i++) {
      sql.add("update churn set v = v + 1");
    }
    // Items known dead: simple deletion when a page is full.
    sql.add("delete from churn where id % 2 = 0");
    sql.add("set enable_seqscan = off");
    sql.add("set enable_bitmapscan = off");
    sql.add("select count(v) from churn where v > 0");
    sql.add("select count(v) from churn where k >= 0");
    sql.add("insert into churn select i, i % 20, i from generate_series(1, 3000) i");
    // Whole pages go, up to branches and the root of what stays.
    sql.add("delete from narrow where a between 1000 and 11000");
    sql.add("vacuum narrow");
    sql.add("delete from wide where n % 100 <> 0");
    sql.add("vacuum wide");
    sql.add("delete from narrow where a > 50");
    sql.add("vacuum narrow");
    sql.add("vacuum narrow");
    sql.add("insert into narrow select i, -i, i from generate_series(20000, 26000) i");
    sql.add("delete from narrow");
    sql.add("vacuum narrow");
    sql.add("insert into narrow select i, -i, i from generate_series(1, 9000) i");
    return sql;
  }

  /** Entry trees, posting trees, the pending list, vacuum. */
  public static List<String> gin() {
    List<String> sql = new ArrayList<>();
    // Straight insertion: one heavy key per row makes posting trees of several levels, many light
    // ones an entry tree.
    sql.add("create table direct (id int, v int[])");
    sql.add("create index direct_v on direct using gin (v) with (fastupdate = off)");
    sql.add(
        "insert into direct select i, array[i % 3, 100 + i % 500, 1000 + i] from generate_series(1, 25000) i");
    // Wide keys: splits of inner entry pages.
    sql.add("create table wide_entries (id int, v text[])");
    sql.add("create index wide_entries_v on wide_entries using gin (v) with (fastupdate = off)");
    sql.add(
        "insert into wide_entries select i, array[(select string_agg(md5(i || ' ' || j), '') from generate_series(1, 30) j)] from generate_series(1, 500) i");
    // Scattered vacuum and refilling: TIDs are added in the middle of segments.
    sql.add("delete from direct where id % 7 = 3");
    sql.add("vacuum direct");
    sql.add(
        "insert into direct select i, array[i % 3, 100 + i % 700] from generate_series(1, 6000) i");
    sql.add("delete from direct where id % 2 = 0 or id > 20000");
    sql.add("vacuum direct");
    sql.add("insert into direct select i, array[i % 2, 7] from generate_series(1, 4000) i");
    // Pages of posting trees go.
    sql.add("create table gone (id int, v int[])");
    sql.add("create index gone_v on gone using gin (v) with (fastupdate = off)");
    sql.add("insert into gone select i, array[1] from generate_series(1, 60000) i");
    sql.add("delete from gone where id between 5000 and 55000");
    sql.add("vacuum gone");
    sql.add("insert into gone select i, array[1] from generate_series(1, 20000) i");
    sql.add("delete from gone where id < 15000");
    sql.add("vacuum gone");
    // The pending list: pages of one row's tuples, rows over several pages, appending, cleaning up.
    sql.add("create table pending (id int, v int[])");
    sql.add(
        "create index pending_v on pending using gin (v) with (fastupdate = on, gin_pending_list_limit = 64)");
    sql.add("insert into pending select i, array[i % 3, i] from generate_series(1, 3000) i");
    sql.add(
        "insert into pending select i, array(select j + i from generate_series(1, 1500) j) from generate_series(1, 4) i");
    sql.add("insert into pending select i, array[i % 3] from generate_series(1, 2000) i");
    sql.add("select gin_clean_pending_list('pending_v')");
    sql.add("insert into pending values (1, array[7, 8, 9])");
    sql.add("vacuum pending");
    sql.add("create index direct_again on direct using gin (v)");
    sql.add("insert into direct select i, array[i % 3, i] from generate_series(1, 3000) i");
    sql.add("vacuum direct");
    return sql;
  }

  /** Splits of all levels, replaced items, deletion of items and pages, pages used again. */
  public static List<String> gist() {
    List<String> sql = new ArrayList<>();
    // Keys of one length.
    sql.add("create table places (id int, p point)");
    sql.add("create index places_p on places using gist (p)");
    sql.add(
        "insert into places select i, point(i * 7919 % 10007, i * 7907 % 10009) from generate_series(1, 9000) i");
    sql.add("create table boxes (id int, b box, c circle)");
    sql.add("create index boxes_bc on boxes using gist (b, c)");
    sql.add(
        "insert into boxes select i, box(point(x, y), point(x + i % 50, y + i % 30)), circle(point(y, x), i % 9) from (select i, i * 7919 % 10007 x, i * 7907 % 10009 y from generate_series(1, 4000) i) n");
    // Keys of any length: an inner item is replaced by a longer or a shorter one.
    sql.add("create type textrange as range (subtype = text, collation = \"C\")");
    sql.add("create table ranges_of_text (id int, r textrange)");
    sql.add("create index ranges_of_text_r on ranges_of_text using gist (r)");
    sql.add(
        "insert into ranges_of_text select i, textrange(repeat(k, 1 + i % 9), repeat(k, 1 + i % 9) || repeat('z', i % 200)) from (select i, md5(i::text) k from generate_series(1, 3000) i) n");
    sql.add(
        "insert into ranges_of_text select i, case i % 3 when 0 then 'empty' when 1 then textrange(null, md5(i::text)) else textrange(md5(i::text), null) end from generate_series(1, 1500) i");
    // Wide inner keys: few to a page, so that pages are split on many levels, some into three.
    sql.add("create table texts (id int, v tsvector)");
    sql.add("create index texts_v on texts using gist (v tsvector_ops (siglen = 1500))");
    sql.add(
        "insert into texts select i, to_tsvector('simple', (select string_agg(md5((i * j % 977)::text), ' ') from generate_series(1, 1 + i % 40) j)) from generate_series(1, 1500) i");
    // Items known dead make room on a full leaf.
    sql.add("create table killed (id int, p point)");
    sql.add("create index killed_p on killed using gist (p)");
    sql.add("insert into killed select i, point(i % 100, i / 100) from generate_series(1, 6000) i");
    sql.add("set enable_seqscan = off");
    sql.add("set enable_bitmapscan = off");
    for (int i = 0; i < 3; i++) {
      sql.add("delete from killed where id % 3 = " + i);
      sql.add("select count(id) from killed where p <@ box(point(-1, -1), point(1000, 1000))");
      sql.add(
          "insert into killed select i * 3 + "
              + i
              + ", point(i % 100, i / 33) from generate_series(1, 3000) i");
    }
    // Vacuum takes single items, many of a page, and all of a page; then the page goes, and the
    // next split takes it.
    sql.add("delete from places where id % 150 = 7");
    sql.add("vacuum places");
    sql.add("delete from places where id % 3 = 0");
    sql.add("vacuum places");
    for (int i = 0; i < 3; i++) {
      sql.add("delete from places where p <@ box(point(-1, -1), point(8000, 20000))");
      sql.add("vacuum places");
      sql.add("vacuum places");
      sql.add(
          "insert into places select i, point(i * 7919 % 10007, i * 7907 % 10009) from generate_series(1, 4000) i");
      sql.add("delete from texts where id % 3 = " + i + " or id < 700");
      sql.add("vacuum texts");
      sql.add("vacuum texts");
      sql.add(
          "insert into texts select i, to_tsvector('simple', md5((i % 300)::text) || ' ' || md5(i::text)) from generate_series(1, 600) i");
    }
    sql.add("delete from ranges_of_text where id % 5 <> 0");
    sql.add("vacuum ranges_of_text");
    sql.add(
        "insert into ranges_of_text select i, textrange(k, k || repeat('y', i % 300)) from (select i, md5((-i)::text) k from generate_series(1, 1000) i) n");
    sql.add("delete from killed");
    sql.add("vacuum killed");
    sql.add("vacuum killed");
    sql.add("insert into killed select i, point(i, -i) from generate_series(1, 2000) i");
    // Indexes built at once, sorted and through buffers.
    sql.add("create index boxes_b on boxes using gist (b) with (fillfactor = 60, buffering = on)");
    sql.add("create index places_again on places using gist (p)");
    sql.add(
        "insert into boxes select i, box(point(i, i), point(-i, -i)), circle(point(i, 0), 3) from generate_series(1, 500) i");
    sql.add("insert into places select i, point(i, i) from generate_series(1, 500) i");
    return sql;
  }

  /** Radix, quad and k-d trees, null trees, columns carried along, vacuum. */
  public static List<String> spgist() {
    List<String> sql = new ArrayList<>();
    // A root that is a leaf loses tuples; then it is split.
    sql.add("create table words (id int, w text, n int)");
    sql.add("alter table words alter w set storage plain");
    sql.add("create index words_w on words using spgist (w)");
    sql.add("create index words_w_n on words using spgist (w) include (n)");
    sql.add("insert into words select i, 'w' || i, i from generate_series(1, 60) i");
    sql.add("insert into words select -i, null, i from generate_series(1, 60) i");
    sql.add("delete from words where id % 3 = 0");
    sql.add("vacuum words");
    sql.add("insert into words select i, null, i from generate_series(1, 1500) i");
    // Values that leave a long common prefix ever earlier.
    sql.add(
        "insert into words select i, repeat('common', 30) || md5(i::text), nullif(i % 3, 0) from generate_series(1, 400) i");
    sql.add(
        "insert into words select i, left(repeat('common', 30), 180 - i) || chr(65 + i % 26) || i, i from generate_series(1, 170) i");
    // Inner tuples, many to a page, each below another, that get node after node: they move to
    // other pages.
    sql.add("create table nodes (w text)");
    sql.add("create index nodes_w on nodes using spgist (w)");
    String group = "chr(97 + p / 8) || chr(97 + p % 8) || ";
    sql.add(
        "insert into nodes select "
            + group
            + "'prefix' || chr(64 + c) || repeat('x', 200) || i from generate_series(0, 39) p, generate_series(1, 3) c, generate_series(1, 20) i");
    sql.add("insert into nodes select " + group + "'prey' from generate_series(0, 39) p");
    for (int c = 4; c < 70; c++) {
      sql.add(
          "insert into nodes select "
              + group
              + "'prefix' || chr(64 + "
              + c
              + ") || p from generate_series(0, 39) p");
      if (c % 4 == 0) {
        sql.add("vacuum nodes");
      }
    }
    // Values longer than a page, first of their nodes.
    sql.add("insert into nodes select i || repeat('long', 5000) from generate_series(1, 5) i");
    // The dead head of a chain whose successor does not fit the page.
    sql.add("create table heads (g int, w text)");
    sql.add("create index heads_w on heads using spgist (w)");
    sql.add(
        "insert into heads select g, chr(97 + g) || i || repeat('y', 60) from generate_series(1, 90) i, generate_series(0, 7) g");
    for (int g = 0; g < 8; g++) {
      sql.add("delete from heads where g = " + g);
      sql.add("vacuum heads");
      sql.add(
          "insert into heads select g, chr(97 + g) || i || repeat('z', 60) from generate_series(1, 20) i, generate_series(0, 7) g where g <> "
              + g);
      sql.add(
          "insert into heads select "
              + g
              + ", chr(97 + "
              + g
              + ") || i || repeat('z', 1500) from generate_series(0, 9) i");
    }
    sql.add("delete from words where n % 2 = 0");
    sql.add("vacuum words");
    sql.add("insert into words select i, md5(i::text), i from generate_series(1, 2500) i");
    sql.add("delete from words where id % 10 <> 0");
    sql.add("vacuum words");
    sql.add("insert into words select i, 'w' || i, i from generate_series(1, 2500) i");
    // Points: splits of leaf pages, small chains that move, one point over and over.
    sql.add("create table points (id int, p point)");
    sql.add("create index points_quad on points using spgist (p)");
    sql.add("create index points_kd on points using spgist (p kd_point_ops)");
    sql.add(
        "insert into points select i, point(i * 7919 % 10007, i * 104729 % 9973) from generate_series(1, 8000) i");
    sql.add("insert into points select -i, point(1, 1) from generate_series(1, 1500) i");
    sql.add("insert into points select i, null from generate_series(1, 100) i");
    sql.add("vacuum points");
    // Some of each chain go, then whole chains, whose dead heads are reused.
    sql.add("delete from points where id % 3 = 0");
    sql.add("vacuum points");
    sql.add(
        "insert into points select i, point(i * 7907 % 10007, i * 104723 % 9973) from generate_series(1, 3000) i");
    sql.add("delete from points where p[0] < 6000");
    sql.add("vacuum points");
    sql.add(
        "insert into points select i, point(i * 7919 % 10007, i * 104729 % 9973) from generate_series(1, 6000) i");
    sql.add("vacuum points");
    sql.add("delete from points");
    sql.add("vacuum points");
    sql.add("insert into points select i, point(i % 100, i / 100) from generate_series(1, 4000) i");
    // Other operator classes: prefixes and node labels of other widths, none at all.
    sql.add("create table spans (r int4range, a inet, b box)");
    sql.add(
        "insert into spans select int4range(i, i + 5), '10.0.0.0', box '((0,0),(1,1))' from generate_series(1, 500) i");
    sql.add("create index spans_r on spans using spgist (r)");
    sql.add("create index spans_a on spans using spgist (a)");
    sql.add("create index spans_b on spans using spgist (b)");
    sql.add(
        "insert into spans select int4range(i * 7919 % 10007, i * 7919 % 10007 + i % 40), '10.0.0.0'::inet + i * 7919 % 100003, box(point(i * 7919 % 997, i % 991), point(i % 89, i % 97)) from generate_series(1, 4000) i");
    sql.add("delete from spans where lower(r) % 2 = 0 or isempty(r)");
    sql.add("vacuum spans");
    sql.add(
        "insert into spans select int4range(i, i + 3), '10.1.0.0'::inet + i, box(point(i, i), point(0, 0)) from generate_series(1, 2000) i");
    return sql;
  }

  /** Splits, chains of overflow pages, their squeezing, dead items, init forks. */
  public static List<String> hash() {
    List<String> sql = new ArrayList<>();
    // One bucket after another is split, and what the split left behind is cleaned up.
    sql.add("create table spread (id int, k int)");
    sql.add("create index spread_k on spread using hash (k) with (fillfactor = 25)");
    sql.add("insert into spread select i, i from generate_series(1, 5000) i");
    sql.add("delete from spread where id % 3 = 0");
    sql.add("vacuum spread");
    sql.add("insert into spread select i, i from generate_series(5001, 8000) i");
    // Long chains of overflow pages: scattered gaps are closed by moving tuples over several
    // pages, whole pages that are empty go, freed ones are used again.
    sql.add("create table chains (id int, k int)");
    sql.add("create index chains_k on chains using hash (k)");
    sql.add("insert into chains select i, i % 3 from generate_series(1, 6000) i");
    for (String gone :
        List.of("id % 4 = 1", "id % 3 = 0 and id > 3000", "id between 900 and 2900")) {
      sql.add("delete from chains where " + gone);
      sql.add("vacuum chains");
      sql.add("insert into chains select i, i % 2 from generate_series(1, 700) i");
    }
    sql.add("delete from chains where k = 1");
    sql.add("vacuum chains");
    sql.add("insert into chains select i, 1 from generate_series(1, 900) i");
    sql.add("delete from chains");
    sql.add("vacuum chains");
    sql.add("insert into chains select i, i % 4 from generate_series(1, 2000) i");
    // An empty page goes after another one was emptied into a page that is neither the bucket's
    // first nor the one before: six pages, of which the fifth is empty and only the second has
    // room.
    sql.add("create table gaps (id int, k int)");
    sql.add("create index gaps_k on gaps using hash (k)");
    sql.add("insert into gaps select i, 1 from generate_series(1, 2430) i");
    sql.add(
        "delete from gaps where id between 450 and 750 or id between 1600 and 2050 or id > 2300");
    sql.add("vacuum gaps");
    // Items known dead go when their page is full, on primary pages and on overflow pages.
    sql.add("create table dead (id int, k int)");
    sql.add("create index dead_k on dead using hash (k)");
    sql.add("insert into dead select i, i % 2 from generate_series(1, 1500) i");
    sql.add("delete from dead where id % 5 < 2");
    sql.add("set enable_seqscan = off");
    sql.add("set enable_bitmapscan = off");
    sql.add("select sum(id) from dead where k = 0");
    sql.add("select sum(id) from dead where k = 1");
    sql.add("insert into dead select i, i % 2 from generate_series(1, 1200) i");
    sql.add("delete from dead where id % 7 = 0");
    sql.add("select sum(id) from dead where k = 0");
    sql.add("vacuum dead");
    sql.add("reset enable_seqscan");
    sql.add("reset enable_bitmapscan");
    // Built over rows: the first buckets are as many as the planner expects rows for, here so many
    // that they come in phases.
    sql.add("create index spread_id on spread using hash (id)");
    sql.add("create table expected (k text)");
    sql.add("insert into expected select 'k' || i from generate_series(1, 600) i");
    for (int rows : new int[] {1000, 20_000, 160_000, 260_000, 420_000, 500_000}) {
      sql.add(
          "update pg_class set relpages = 1, reltuples = " + rows + " where relname = 'expected'");
      sql.add("create index on expected using hash (k)");
    }
    sql.add("insert into expected select 'l' || i from generate_series(1, 100) i");
    sql.add("create unlogged table forgotten (k int)");
    sql.add("create index forgotten_k on forgotten using hash (k)");
    sql.add("insert into forgotten select i from generate_series(1, 1000) i");
    return sql;
  }

  /** To be run with full-page writes: records that are the first to change their pages. */
  static List<String> hashImages() {
    List<String> sql = new ArrayList<>();
    sql.add("create table fresh (id int, k int)");
    // A table known to have one row: its index starts with two buckets.
    sql.add("insert into fresh values (-1, -1)");
    sql.add("vacuum fresh");
    sql.add("create index fresh_id on fresh using hash (id) with (fillfactor = 20)");
    sql.add("create index fresh_k on fresh using hash (k)");
    // Few rows at a time: the bucket that is split next gets none before, nor has it to be cleaned
    // of what its last split left.
    for (int round = 0; round < 60; round++) {
      sql.add("delete from fresh where id = " + round * 5);
      sql.add("vacuum fresh");
      sql.add("checkpoint");
      sql.add(
          "insert into fresh select i, i % 2 from generate_series("
              + round * 20
              + ", "
              + (round * 20 + 19)
              + ") i");
    }
    sql.add("delete from fresh where id % 3 > 0");
    sql.add("checkpoint");
    sql.add("vacuum fresh");
    return sql;
  }

  /**
   * What one of several sessions at once does to a table that has hash indexes, to be made first.
   */
  static List<String> busyHash(int session) {
    int first = session * 100_000;
    String own = " and id between " + first + " and " + (first + 99_999);
    List<String> sql = new ArrayList<>();
    sql.add("set enable_seqscan = off");
    sql.add("set enable_bitmapscan = off");
    for (int round = 0; round < 6; round++) {
      int from = first + round * 300;
      sql.add(
          "insert into busy select i, i % 3 from generate_series("
              + from
              + ", "
              + (from + 299)
              + ") i");
      int key = (session + round) % 3;
      sql.add("delete from busy where k = " + key + " and id % 2 = 0" + own);
      sql.add("select sum(id) from busy where k = " + key);
      sql.add("update busy set k = 2 where id % 97 = " + round + own);
      if (key == 0) {
        // Its records would bring images of pages that it has pinned and not locked: a scan that
        // sets hints in them meanwhile makes the record's checksum wrong, for PostgreSQL too.
        sql.add("set wal_consistency_checking = ''");
        sql.add("vacuum busy");
        sql.add("reset wal_consistency_checking");
      }
    }
    return sql;
  }

  /** Ranges summarized, moved and forgotten; the extension bloom writes generic records. */
  public static List<String> brinAndGeneric() {
    List<String> sql = new ArrayList<>();
    // One row a heap page and one page a range: a revmap of several pages, whose extension
    // evacuates regular pages.
    sql.add("create table ranges (id int, t text) with (fillfactor = 10)");
    sql.add("alter table ranges alter t set storage plain");
    sql.add("create index ranges_id on ranges using brin (id, t) with (pages_per_range = 1)");
    sql.add(
        "insert into ranges select i, to_char(i, 'FM000000') || repeat('x', 900) from generate_series(1, 3200) i");
    sql.add("vacuum ranges");
    sql.add("select brin_summarize_new_values('ranges_id')");
    // Summaries that grow move to other pages, those that do not stay.
    sql.add("create table grows (id int, t text)");
    sql.add("alter table grows alter t set storage plain");
    sql.add(
        "create index grows_t on grows using brin (t) with (pages_per_range = 1, autosummarize = off)");
    sql.add("create index grows_id on grows using brin (id) with (pages_per_range = 1)");
    sql.add("insert into grows select i, 'k' from generate_series(1, 20000) i");
    sql.add("vacuum grows");
    sql.add("delete from grows where id % 2 = 0");
    sql.add("vacuum grows");
    for (int length = 10; length < 1000; length += 110) {
      sql.add(
          "insert into grows select -i * "
              + length
              + ", repeat('z', "
              + length
              + ") from generate_series(1, 200) i");
    }
    // Ranges lose their summaries and get them again.
    for (int block = 0; block < 2000; block += 13) {
      sql.add("select brin_desummarize_range('ranges_id', " + block + ")");
    }
    sql.add("select brin_summarize_new_values('ranges_id')");
    sql.add("select brin_desummarize_range('grows_id', 3)");
    sql.add("select brin_summarize_range('grows_id', 3)");
    sql.add("create table multi (id int)");
    sql.add(
        "create index multi_id on multi using brin (id int4_minmax_multi_ops) with (pages_per_range = 1)");
    sql.add(
        "create index multi_bloom on multi using brin (id int4_bloom_ops) with (pages_per_range = 2)");
    sql.add("insert into multi select (i * 7919) % 100003 from generate_series(1, 5000) i");
    sql.add("vacuum multi");
    sql.add("insert into multi select (i * 7907) % 100003 from generate_series(1, 5000) i");
    sql.add("vacuum multi");
    // Generic records.
    sql.add("create extension bloom");
    sql.add("create table blooms (a int, b int)");
    sql.add("create index blooms_ab on blooms using bloom (a, b)");
    sql.add("insert into blooms select i, i * 7 from generate_series(1, 8000) i");
    sql.add("delete from blooms where a % 3 = 0");
    sql.add("vacuum blooms");
    sql.add("insert into blooms select i, i * 7 from generate_series(1, 4000) i");
    sql.add("delete from blooms");
    sql.add("vacuum blooms");
    sql.add("insert into blooms select i, i * 7 from generate_series(1, 1000) i");
    return sql;
  }
}
