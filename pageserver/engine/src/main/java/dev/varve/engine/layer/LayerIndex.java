package dev.varve.engine.layer;

import dev.varve.engine.PageserverException;
import dev.varve.engine.bytes.ByteReader;
import dev.varve.engine.bytes.ByteWriter;
import dev.varve.engine.bytes.Crc32c;
import dev.varve.engine.bytes.Enveloped;
import dev.varve.engine.bytes.LittleEndian;
import dev.varve.format.FileKind;
import java.util.Arrays;

/**
 * The index of a layer in memory: where each block is and what it starts with, and the Bloom filter
 * over its keys. Immutable.
 */
final class LayerIndex {
  final int dataBlocks;
  final int boundaryBlocks;
  final BloomFilter bloom;
  private final byte[] entries;

  private LayerIndex(int dataBlocks, int boundaryBlocks, byte[] entries, BloomFilter bloom) {
    this.dataBlocks = dataBlocks;
    this.boundaryBlocks = boundaryBlocks;
    this.entries = entries;
    this.bloom = bloom;
  }

  /**
   * Checks that the file begins as the layer that the manifest lists.
   *
   * @throws PageserverException.Corrupt naming the layer when it does not
   * @throws PageserverException.TooNew when a newer release wrote it
   * @throws PageserverException.TooOld when this release reads its format no more
   */
  static void checkHeader(LayerDescriptor descriptor, byte[] header) {
    String name = descriptor.name();
    Enveloped.requireHead(FileKind.LAYER, name, header);
    if (LittleEndian.i32(header, LayerFormat.HEADER_CHECKSUM)
        != Crc32c.compute(header, 0, LayerFormat.HEADER_CHECKSUM)) {
      throw new PageserverException.Corrupt("layer " + name + ": the header is damaged");
    }
    requireLayer(descriptor, header);
  }

  /**
   * Reads index and footer, which together are the end of the file that begins with {@code header}.
   *
   * @throws PageserverException.Corrupt naming the layer when a checksum or length is wrong
   */
  static LayerIndex parse(LayerDescriptor descriptor, byte[] header, byte[] tail) {
    String name = descriptor.name();
    int footer = tail.length - LayerFormat.FOOTER_BYTES;
    if (footer < 0
        || LittleEndian.i32(tail, footer + LayerFormat.FOOTER_CHECKSUM)
            != LayerFormat.checksum(header, tail, footer)
        || LittleEndian.i64(tail, footer) != descriptor.indexOffset()
        || LittleEndian.i32(tail, footer + 8) != footer) {
      throw new PageserverException.Corrupt("layer " + name + ": the footer is damaged");
    }
    if (LittleEndian.i32(tail, footer + 12) != Crc32c.compute(tail, 0, footer)) {
      throw new PageserverException.Corrupt("layer " + name + ": the index is damaged");
    }
    ByteReader reader = new ByteReader("index of layer " + name, tail, 0, footer);
    int dataBlocks = reader.i32();
    int boundaryBlocks = reader.i32();
    long bytes = ((long) dataBlocks + boundaryBlocks) * LayerFormat.INDEX_ENTRY_BYTES;
    if (dataBlocks < 0 || boundaryBlocks < 0 || bytes > reader.remaining()) {
      throw new PageserverException.Corrupt("layer " + name + ": the index is damaged");
    }
    byte[] entries = reader.bytes((int) bytes);
    BloomFilter bloom = new BloomFilter(reader.bytes(reader.i32()));
    reader.end();
    return new LayerIndex(dataBlocks, boundaryBlocks, entries, bloom);
  }

  private static void requireLayer(LayerDescriptor descriptor, byte[] header) {
    if (LittleEndian.u8(header, LayerFormat.KIND)
            != (descriptor.isImage() ? LayerFormat.IMAGE : LayerFormat.DELTA)
        || !isOf(descriptor.origin(), header)
        || LittleEndian.i32(header, LayerFormat.GENERATION) != descriptor.generation()
        || LittleEndian.i64(header, LayerFormat.FIRST_KEY) != descriptor.firstKey()
        || LittleEndian.i64(header, LayerFormat.LAST_KEY) != descriptor.lastKey()
        || LittleEndian.i64(header, LayerFormat.START_LSN) != descriptor.startLsn()
        || LittleEndian.i64(header, LayerFormat.END_LSN) != descriptor.endLsn()) {
      throw new PageserverException.Corrupt(
          "layer " + descriptor.name() + ": the file is another layer's");
    }
  }

  private static boolean isOf(LayerOrigin origin, byte[] header) {
    ByteWriter expected = new ByteWriter(LayerOrigin.BYTES);
    origin.write(expected);
    return Arrays.equals(
        header,
        LayerFormat.ORIGIN,
        LayerFormat.ORIGIN + LayerOrigin.BYTES,
        expected.array(),
        0,
        LayerOrigin.BYTES);
  }

  /**
   * Checks that the blocks fill the file up to the index, and that their keys ascend.
   *
   * @throws PageserverException.Corrupt naming the layer when they do not
   */
  void check(LayerDescriptor descriptor) {
    long offset = LayerFormat.HEADER_BYTES;
    for (int block = 0; block < dataBlocks + boundaryBlocks; block++) {
      boolean ascends =
          block == 0
              || block == dataBlocks
              || Long.compareUnsigned(firstKey(block - 1), firstKey(block)) <= 0;
      if (offset(block) != offset || storedLength(block) < 0 || !ascends) {
        throw new PageserverException.Corrupt(
            "layer " + descriptor.name() + ": the index misplaces block " + block);
      }
      offset += storedLength(block);
    }
    if (offset != descriptor.indexOffset()) {
      throw new PageserverException.Corrupt(
          "layer " + descriptor.name() + ": the index leaves out bytes from " + offset + " on");
    }
  }

  long firstKey(int block) {
    return LittleEndian.i64(entries, block * LayerFormat.INDEX_ENTRY_BYTES);
  }

  long firstLsn(int block) {
    return LittleEndian.i64(entries, block * LayerFormat.INDEX_ENTRY_BYTES + 8);
  }

  long offset(int block) {
    return LittleEndian.i64(entries, block * LayerFormat.INDEX_ENTRY_BYTES + 16);
  }

  int storedLength(int block) {
    return LittleEndian.i32(entries, block * LayerFormat.INDEX_ENTRY_BYTES + 24);
  }

  int length(int block) {
    return LittleEndian.i32(entries, block * LayerFormat.INDEX_ENTRY_BYTES + 28);
  }

  int crc(int block) {
    return LittleEndian.i32(entries, block * LayerFormat.INDEX_ENTRY_BYTES + 32);
  }

  /** The last data block that starts at or before (key, lsn), or -1. */
  int findData(long key, long lsn) {
    int low = 0;
    int high = dataBlocks;
    while (low < high) {
      int middle = low + high >>> 1;
      int byKey = Long.compareUnsigned(firstKey(middle), key);
      if (byKey < 0 || byKey == 0 && Long.compareUnsigned(firstLsn(middle), lsn) <= 0) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low - 1;
  }

  /**
   * The last boundary block (counted with the data blocks) whose first record may end at or before
   * {@code lsn}, or -1.
   */
  int findBoundary(long lsn) {
    int low = dataBlocks;
    int high = dataBlocks + boundaryBlocks;
    while (low < high) {
      int middle = low + high >>> 1;
      if (Long.compareUnsigned(firstLsn(middle), lsn) < 0) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low == dataBlocks ? -1 : low - 1;
  }
}
