package dev.varve.engine.wal;

import dev.varve.engine.bytes.ByteWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/** The segment files of a {@code pg_wal} directory, TLI 1, as one run of bytes. */
public final class WalFiles {
  private final Path directory;
  private final int segmentSize;

  public WalFiles(Path pgWal, int segmentSize) {
    directory = pgWal;
    this.segmentSize = segmentSize;
  }

  /** Start of the oldest segment. */
  public long firstLsn() {
    try (Stream<Path> files = Files.list(directory)) {
      String name =
          files
              .map(file -> file.getFileName().toString())
              .filter(file -> file.matches("00000001[0-9A-F]{16}"))
              .sorted()
              .findFirst()
              .orElseThrow();
      long perId = 0x1_0000_0000L / segmentSize;
      return (Long.parseLong(name.substring(8, 16), 16) * perId
              + Long.parseLong(name.substring(16), 16))
          * segmentSize;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The bytes of an LSN range. */
  public byte[] read(long fromLsn, long toLsn) {
    ByteWriter out = new ByteWriter((int) (toLsn - fromLsn));
    long perId = 0x1_0000_0000L / segmentSize;
    for (long at = fromLsn; at < toLsn; ) {
      long number = at / segmentSize;
      String name = String.format("00000001%08X%08X", number / perId, number % perId);
      int offset = (int) (at % segmentSize);
      int count = (int) Math.min(segmentSize - offset, toLsn - at);
      try {
        out.bytes(Files.readAllBytes(directory.resolve(name)), offset, count);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
      at += count;
    }
    return out.toByteArray();
  }
}
