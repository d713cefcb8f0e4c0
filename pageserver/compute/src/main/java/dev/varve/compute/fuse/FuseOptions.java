package dev.varve.compute.fuse;

/**
 * How a session talks to the kernel.
 *
 * @param workers threads, and so the number of requests that may wait for pages at once, 1 to 256
 * @param maxTransferBytes the most that one READ or WRITE carries, a multiple of 4096 up to 1 MiB
 *     (the kernel's default limit)
 * @param writeback the kernel keeps written pages and their file's size and writes them back
 *     merged; without it each write is one request
 * @param readAheadKilobytes the kernel's own read-ahead, applied where permitted
 */
public record FuseOptions(
    int workers, int maxTransferBytes, boolean writeback, int readAheadKilobytes) {
  public static final FuseOptions DEFAULT = new FuseOptions(16, 1 << 20, true, 1024);

  public FuseOptions {
    if (workers < 1 || workers > 256) {
      throw new IllegalArgumentException("workers must be 1 to 256, is " + workers);
    }
    if (maxTransferBytes < 4096 || maxTransferBytes > 1 << 20 || maxTransferBytes % 4096 != 0) {
      throw new IllegalArgumentException("transfer size out of range: " + maxTransferBytes);
    }
  }
}
