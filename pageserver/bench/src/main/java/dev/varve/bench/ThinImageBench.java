package dev.varve.bench;

import dev.varve.engine.EngineOptions;
import dev.varve.engine.image.ThinImage;
import dev.varve.engine.store.LocalObjectStore;
import dev.varve.engine.tenant.Tenants;
import dev.varve.engine.tenant.TimelineName;
import dev.varve.engine.timeline.Timeline;
import dev.varve.testkit.PostgresServer;
import java.io.OutputStream;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;

/**
 * How long a thin image takes and how large it is, at two sizes of user data, each image at an LSN
 * of its own behind a small transaction. The rival is what an image stands for: the size of the
 * data directory that a base backup copies.
 */
public final class ThinImageBench {
  private static final int ROW_BYTES = 1000;

  private ThinImageBench() {}

  /** Options: {@code --small} and {@code --large} megabytes of user data, {@code --images}. */
  public static void main(String[] args) throws Exception {
    Arguments arguments = new Arguments(args);
    int[] megabytes = {arguments.get("small", 100), arguments.get("large", 2000)};
    int images = arguments.get("images", 50);
    arguments.done();
    Path home = PostgresServer.temporaryDirectory();
    try (PostgresServer primary =
            PostgresServer.builder(17)
                .setting("full_page_writes", "off")
                .setting("max_wal_size", "1GB")
                .setting("wal_keep_size", "64MB")
                .start();
        Tenants tenants =
            new Tenants(
                new LocalObjectStore(home.resolve("objects")),
                home.resolve("cache"),
                EngineOptions.defaults(),
                System::nanoTime)) {
      primary.execute(
          "postgres",
          "create table counter(i int)",
          "insert into counter values (0)",
          "create table filler(id int, t text)",
          "alter table filler alter t set storage plain");
      int present = 0;
      System.out.printf(
          "%12s %14s %12s %10s %10s%n", "user data", "database", "image kB", "p50 ms", "p99 ms");
      for (int size : megabytes) {
        primary.execute(
            "postgres",
            "insert into filler select i, repeat(md5(i::text), "
                + (ROW_BYTES / 32)
                + ") from generate_series(1, "
                + (size - present) * 1000
                + ") i",
            "checkpoint");
        present = size;
        measure(primary, tenants, size, images);
      }
    } finally {
      PostgresServer.deleteTree(home);
    }
  }

  private static void measure(PostgresServer primary, Tenants tenants, int size, int images)
      throws Exception {
    TimelineName id = new TimelineName("bench", "of-" + size);
    Timeline timeline = tenants.attach(id, 0);
    DirectFeed feed = new DirectFeed(primary, timeline);
    feed.importBackup();
    long[] nanos = new long[images];
    long bytes = 0;
    for (int i = -images; i < images; i++) {
      primary.execute("postgres", "update counter set i = i + 1");
      feed.catchUp();
      Counter counter = new Counter();
      long start = System.nanoTime();
      ThinImage.at(timeline, timeline.receivedLsn()).writeTo(counter);
      // The first half warms up the JIT compiler.
      if (i >= 0) {
        nanos[i] = System.nanoTime() - start;
      }
      bytes = counter.bytes;
    }
    Arrays.sort(nanos);
    System.out.printf(
        Locale.ROOT,
        "%9d MB %11.0f MB %12.1f %10.1f %10.1f%n",
        size,
        Long.parseLong(primary.query("postgres", "select pg_database_size('postgres')")) / 1e6,
        bytes / 1e3,
        Numbers.percentile(nanos, 0.5) / 1e6,
        Numbers.percentile(nanos, 0.99) / 1e6);
    tenants.detach(id);
  }

  private static final class Counter extends OutputStream {
    private long bytes;

    @Override
    public void write(int one) {
      bytes++;
    }

    @Override
    public void write(byte[] from, int offset, int length) {
      bytes += length;
    }
  }
}
