package dev.varve.local;

import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * What the local run is asked to do.
 *
 * @param major of PostgreSQL: 15 to 18
 * @param scale pgbench scale factor: 100,000 accounts each
 * @param seconds of load while the pageserver receives
 * @param starts of a compute, and of stock PostgreSQL, that are timed
 * @param store an object store as the pageserver's setting names it; null: a directory
 * @param keep leave everything running at the end
 * @param eager computes hold everything on their disk instead of mounting it
 */
record Options(
    int major,
    int scale,
    int seconds,
    int starts,
    boolean checksums,
    @Nullable String store,
    boolean keep,
    boolean eager,
    @Nullable Path directory) {
  static final String USAGE =
      """
      usage: deploy/local/run [options]

      Attaches a stock primary with pgbench data to a pageserver, starts stock PostgreSQL from thin images of it, kills the pageserver, wipes
      its disk and starts another one from the object store alone. Prints what it does and how long it took.

        --major N       PostgreSQL 15, 16, 17 or 18 (default 17)
        --scale N       pgbench scale factor (default 5: 75 MB)
        --seconds N     how long load runs on the primary (default 10)
        --starts N      how many starts of each kind are timed (default 9)
        --checksums     a primary with data checksums
        --s3 URL        an object store such as s3://bucket/prefix instead of a directory; its settings come from the
                        environment: VARVE_S3_ENDPOINT, VARVE_S3_REGION, VARVE_S3_PATH_STYLE, VARVE_S3_ACCESS_KEY, VARVE_S3_SECRET_KEY
        --eager         no mount: computes fetch everything before they start
        --directory D   where files go (default: a temporary directory, removed at the end)
        --keep          leave everything running at the end and say how to connect
      """;

  static Options parse(String[] arguments) {
    int major = 17;
    int scale = 5;
    int seconds = 10;
    int starts = 9;
    boolean checksums = false;
    String store = null;
    boolean keep = false;
    boolean eager = false;
    Path directory = null;
    for (int i = 0; i < arguments.length; i++) {
      switch (arguments[i]) {
        case "--major" -> major = number(arguments, ++i);
        case "--scale" -> scale = number(arguments, ++i);
        case "--seconds" -> seconds = number(arguments, ++i);
        case "--starts" -> starts = number(arguments, ++i);
        case "--checksums" -> checksums = true;
        case "--s3" -> store = value(arguments, ++i);
        case "--keep" -> keep = true;
        case "--eager" -> eager = true;
        case "--directory" -> directory = Path.of(value(arguments, ++i));
        default -> throw new IllegalArgumentException("unknown option " + arguments[i]);
      }
    }
    if (major < 15 || major > 18) {
      throw new IllegalArgumentException("PostgreSQL " + major + " is not one of 15, 16, 17, 18");
    }
    if (store != null && !store.startsWith("s3://")) {
      throw new IllegalArgumentException("--s3 wants s3://BUCKET/PREFIX, not " + store);
    }
    return new Options(major, scale, seconds, starts, checksums, store, keep, eager, directory);
  }

  private static String value(String[] arguments, int at) {
    if (at >= arguments.length) {
      throw new IllegalArgumentException(arguments[at - 1] + " wants a value");
    }
    return arguments[at];
  }

  private static int number(String[] arguments, int at) {
    try {
      int number = Integer.parseInt(value(arguments, at));
      if (number > 0) {
        return number;
      }
    } catch (NumberFormatException e) {
      // Falls through to the message below.
    }
    throw new IllegalArgumentException(arguments[at - 1] + " wants a positive number");
  }
}
