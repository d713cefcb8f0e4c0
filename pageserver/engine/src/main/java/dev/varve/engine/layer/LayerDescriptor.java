package dev.varve.engine.layer;

import java.util.HexFormat;
import java.util.OptionalInt;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What a manifest knows of a layer. Keys are unsigned; a delta layer covers the LSNs above {@code
 * startLsn} up to {@code endLsn}, an image layer has both equal.
 *
 * @param origin who wrote it, and where its object is
 * @param level 0 for what a freeze wrote, one more for each time it was merged
 * @param sequence makes the name unique within a generation
 * @param indexOffset where the index starts; it and the footer reach to the end of the file
 * @param lastRecordLsn where the last record at or before {@code endLsn} starts; 0 where no
 *     boundaries are kept
 */
public record LayerDescriptor(
    LayerOrigin origin,
    boolean isImage,
    int level,
    long firstKey,
    long lastKey,
    long startLsn,
    long endLsn,
    int generation,
    int sequence,
    long fileBytes,
    long indexOffset,
    long entryCount,
    long lastRecordLsn) {
  private static final Pattern NAME_END = Pattern.compile("-[di]([0-9a-f]{8})-[0-9a-f]{8}$");

  public LayerDescriptor {
    if (Long.compareUnsigned(firstKey, lastKey) > 0
        || Long.compareUnsigned(startLsn, endLsn) > 0
        || indexOffset < 0
        || indexOffset > fileBytes) {
      throw new IllegalArgumentException(
          "layer of keys %x–%x, LSNs %x–%x, index at %d of %d"
              .formatted(firstKey, lastKey, startLsn, endLsn, indexOffset, fileBytes));
    }
  }

  public boolean covers(long key) {
    return Long.compareUnsigned(firstKey, key) <= 0 && Long.compareUnsigned(key, lastKey) <= 0;
  }

  /** Names it in fewer bytes. */
  public LayerId id() {
    return new LayerId(origin, generation, sequence);
  }

  /**
   * Keys, LSNs, generation and sequence, in lower-case hexadecimal: unique in its origin and
   * sortable.
   */
  public String name() {
    return isImage
        ? "%016x-%016x-%016x-i%08x-%08x".formatted(firstKey, lastKey, endLsn, generation, sequence)
        : "%016x-%016x-%016x-%016x-d%08x-%08x"
            .formatted(firstKey, lastKey, startLsn, endLsn, generation, sequence);
  }

  /** Its object's name below the timelines of its tenant: where it was written. */
  public String object() {
    return origin.path() + "layers/" + name();
  }

  /** The generation that wrote the layer of a {@link #name}; none when it is no layer's name. */
  public static OptionalInt generationOf(String name) {
    Matcher found = NAME_END.matcher(name);
    return found.find()
        ? OptionalInt.of(HexFormat.fromHexDigits(found.group(1)))
        : OptionalInt.empty();
  }
}
