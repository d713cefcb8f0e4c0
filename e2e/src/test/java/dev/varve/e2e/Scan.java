package dev.varve.e2e;

import java.time.Duration;
import java.util.concurrent.CompletableFuture;

/**
 * A compute that reads one page after the other from the pageservers, each for the first time and
 * none beside the one before, checks what it reads, and takes the time of each read. Its table has
 * one row a page.
 */
final class Scan {
  /** At a read each 10 ms this is enough for two minutes. */
  private static final int PAGES = 10_000;

  private static final String TABLE =
      "create table wide(i int, pad text not null);"
          + " alter table wide alter pad set storage plain;"
          + " insert into wide select i, repeat(md5(i::text), 220) from generate_series(0, "
          + (PAGES - 1)
          + ") i";

  private static final String FUNCTION =
      """
      create table stop(now int);
      create sequence reads;
      create function scan(out pages int, out longest_ms int) language plpgsql as $$
      declare
        start timestamptz;
        row wide;
      begin
        pages := 0; longest_ms := 0;
        while not exists (select from stop) loop
          if pages = PAGES then raise 'the table is too small for a scan of this length'; end if;
          start := clock_timestamp();
          select * into strict row from wide where ctid = format('(%s,1)', pages * 7919 % PAGES)::tid;
          longest_ms := greatest(longest_ms, 1000 * extract(epoch from clock_timestamp() - start));
          if row.i <> pages * 7919 % PAGES or row.pad <> repeat(md5(row.i::text), 220) then
            raise 'page % is not what was written', row.i;
          end if;
          pages := pages + 1;
          perform nextval('reads');
          perform pg_sleep(0.01);
        end loop;
      end $$;
      """
          .replace("PAGES", Integer.toString(PAGES));

  private final Shop shop;
  private final String pod;
  private final CompletableFuture<String> result;

  private Scan(Shop shop, String pod) {
    this.shop = shop;
    this.pod = pod;
    this.result =
        CompletableFuture.supplyAsync(
            () -> shop.query(pod, "select pages, longest_ms from scan()"));
  }

  /** Makes the table at a source. */
  static void prepare(Shop shop, String source) {
    shop.query(source, TABLE);
  }

  /**
   * Starts a compute on a node and its scan, and waits until that has read some pages: only its
   * reads are timed, not those of catalogs before them.
   */
  static Scan start(Shop shop, String pod, String timeline, String token, String node) {
    return start(shop, pod, timeline, token, "", node);
  }

  /**
   * The same.
   *
   * @param attributes more of the volume's
   */
  static Scan start(
      Shop shop, String pod, String timeline, String token, String attributes, String node) {
    shop.pod(pod, timeline, token, attributes, node);
    shop.ready("pod/" + pod, Duration.ofMinutes(1));
    shop.query(pod, FUNCTION);
    Scan scan = new Scan(shop, pod);
    Shop.until(
        pod + " to have read",
        Duration.ofMinutes(1),
        () -> scan.result.isDone() || scan.pages() > 50,
        null);
    return scan;
  }

  /** How many pages it has read so far. */
  int pages() {
    return Integer.parseInt(shop.query(pod, "select last_value from reads"));
  }

  /**
   * Ends the scan and its compute; prints the longest wait of a read under a name.
   *
   * @return that wait
   * @throws IllegalStateException when a read failed or was wrong
   */
  Duration stop(String figure) {
    if (!result.isDone()) {
      shop.query(pod, "insert into stop values (1)");
    }
    String[] said = result.join().split("\\|", -1);
    Duration longest = Duration.ofMillis(Long.parseLong(said[1]));
    Figure.print(figure, longest);
    System.out.println(said[0] + " pages were read meanwhile");
    shop.delete("pod", pod);
    return longest;
  }
}
