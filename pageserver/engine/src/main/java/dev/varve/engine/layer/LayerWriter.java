package dev.varve.engine.layer;

import com.github.luben.zstd.Zstd;
import com.github.luben.zstd.ZstdCompressCtx;
import dev.varve.engine.bytes.ByteWriter;
import dev.varve.engine.bytes.Crc32c;
import dev.varve.engine.bytes.LittleEndian;
import dev.varve.format.Envelope;
import dev.varve.format.FileKind;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;

/**
 * Writes one layer file ({@link LayerFormat}): entries in ascending order of key, LSN and arrival,
 * then record boundaries in ascending order, then {@link #finish}. One thread; memory is bounded by
 * a block, the index and eight bytes a key. Closing without finishing removes the file.
 */
public final class LayerWriter implements AutoCloseable {
  private static final int COMPRESSION_LEVEL = 1;

  private final Path path;
  private final LayerOrigin origin;
  private final FileChannel channel;
  private final boolean image;
  private final int level;
  private final long firstKey;
  private long lastKey;
  private final long startLsn;
  private final long endLsn;
  private final int generation;
  private final int sequence;
  private final ZstdCompressCtx zstd;
  private final ByteWriter block = new ByteWriter();
  private final ByteWriter index = new ByteWriter();
  private byte[] compressed = new byte[0];
  private long[] keys = new long[1024];
  private int keyCount;
  private int dataBlocks;
  private int boundaryBlocks;
  private boolean inBoundaries;
  private int blockEntries;
  private long blockFirstKey;
  private long blockFirstLsn;
  private long previousKey;
  private long previousLsn;
  private long offset = LayerFormat.HEADER_BYTES;
  private long entryCount;
  private long rawBytes;
  private long lastRecordLsn;
  private long boundaryEnd;
  private boolean finished;

  /**
   * @param firstKey the lowest key that the layer stands for, whether or not it has it
   * @param startLsn above which, and {@code endLsn} up to which, a delta layer covers; for an image
   *     layer both are its LSN
   */
  public LayerWriter(
      Path path,
      LayerOrigin origin,
      boolean image,
      int level,
      long firstKey,
      long startLsn,
      long endLsn,
      int generation,
      int sequence)
      throws IOException {
    this.path = path;
    this.origin = origin;
    this.image = image;
    this.level = level;
    this.firstKey = firstKey;
    this.lastKey = firstKey;
    this.startLsn = startLsn;
    this.endLsn = endLsn;
    this.generation = generation;
    this.sequence = sequence;
    channel =
        FileChannel.open(
            path,
            StandardOpenOption.CREATE,
            StandardOpenOption.TRUNCATE_EXISTING,
            StandardOpenOption.WRITE);
    zstd = new ZstdCompressCtx().setLevel(COMPRESSION_LEVEL);
  }

  /** Bytes of entries so far, before compression. */
  public long rawBytes() {
    return rawBytes;
  }

  public long entryCount() {
    return entryCount;
  }

  /** Appends an entry; of an image layer {@code lsn} is the layer's. */
  public void add(long key, long lsn, ValueKind kind, byte[] bytes, int from, int length)
      throws IOException {
    if (inBoundaries
        || entryCount > 0
            && (Long.compareUnsigned(key, previousKey) < 0
                || key == previousKey && Long.compareUnsigned(lsn, previousLsn) < 0)
        || Long.compareUnsigned(key, firstKey) < 0) {
      throw new IllegalStateException(
          "entry %x at %x behind %x at %x".formatted(key, lsn, previousKey, previousLsn));
    }
    if (block.length() > 0
        && (block.length() + length > LayerFormat.BLOCK_BYTES
            || blockEntries == LayerFormat.BLOCK_ENTRIES)) {
      endBlock();
    }
    if (block.length() == 0) {
      blockFirstKey = key;
      blockFirstLsn = lsn;
    }
    block.varint(block.length() == 0 ? key : key - previousKey);
    if (!image) {
      block.varint(lsn - startLsn);
    }
    block.u8(kind.code());
    block.varint(length);
    block.bytes(bytes, from, length);
    if (entryCount == 0 || key != previousKey) {
      if (keyCount == keys.length) {
        keys = Arrays.copyOf(keys, keyCount * 2);
      }
      keys[keyCount++] = key;
    }
    previousKey = key;
    previousLsn = lsn;
    blockEntries++;
    entryCount++;
    rawBytes += length + 8;
  }

  /** Appends where a record stands; after all entries. */
  public void addBoundary(RecordBoundary boundary) throws IOException {
    if (!inBoundaries) {
      endBlock();
      inBoundaries = true;
      boundaryEnd = startLsn;
    }
    if (block.length() > LayerFormat.BLOCK_BYTES) {
      endBlock();
    }
    if (block.length() == 0) {
      blockFirstKey = 0;
      blockFirstLsn = boundaryEnd;
    }
    block.varint(boundary.startLsn() - boundaryEnd >>> 3);
    block.varint(boundary.endLsn() - boundary.startLsn() >>> 3);
    boundaryEnd = boundary.endLsn();
    lastRecordLsn = boundary.startLsn();
  }

  private void endBlock() throws IOException {
    int length = block.length();
    if (length == 0) {
      return;
    }
    int bound = (int) Zstd.compressBound(length);
    if (compressed.length < bound) {
      compressed = new byte[bound];
    }
    int stored = zstd.compressByteArray(compressed, 0, bound, block.array(), 0, length);
    byte[] bytes = compressed;
    if (stored >= length) {
      bytes = block.array();
      stored = length;
    }
    index.i64(blockFirstKey);
    index.i64(blockFirstLsn);
    index.i64(offset);
    index.i32(stored);
    index.i32(length);
    index.i32(Crc32c.compute(bytes, 0, stored));
    write(bytes, stored, offset);
    offset += stored;
    if (inBoundaries) {
      boundaryBlocks++;
    } else {
      dataBlocks++;
    }
    block.reset();
    blockEntries = 0;
  }

  /**
   * Writes what is missing and closes the file.
   *
   * @param coversUpTo the highest key that the layer stands for, at least that of the last entry
   */
  public LayerDescriptor finish(long coversUpTo) throws IOException {
    endBlock();
    if (entryCount > 0 && Long.compareUnsigned(coversUpTo, previousKey) < 0) {
      throw new IllegalStateException("entries beyond the layer's last key");
    }
    lastKey = coversUpTo;
    BloomFilter bloom = BloomFilter.of(keys, keyCount);
    ByteWriter tail = new ByteWriter(index.length() + bloom.length() + 64);
    tail.i32(dataBlocks);
    tail.i32(boundaryBlocks);
    tail.bytes(index.array(), 0, index.length());
    tail.i32(bloom.length());
    tail.bytes(bloom.bytes());
    int indexLength = tail.length();
    int indexCrc = Crc32c.compute(tail.array(), 0, indexLength);
    tail.i64(offset);
    tail.i32(indexLength);
    tail.i32(indexCrc);
    tail.i64(entryCount);
    tail.i64(lastRecordLsn);
    byte[] header = header();
    tail.i32(LayerFormat.checksum(header, tail.array(), indexLength));
    write(tail.array(), tail.length(), offset);
    write(header, header.length, 0);
    channel.close();
    zstd.close();
    finished = true;
    return new LayerDescriptor(
        origin,
        image,
        level,
        firstKey,
        lastKey,
        startLsn,
        endLsn,
        generation,
        sequence,
        offset + tail.length(),
        offset,
        entryCount,
        lastRecordLsn);
  }

  private byte[] header() {
    byte[] header = new byte[LayerFormat.HEADER_BYTES];
    Envelope.putHead(FileKind.LAYER, Envelope.Head.of(FileKind.LAYER), header, 0);
    header[LayerFormat.KIND] = (byte) (image ? LayerFormat.IMAGE : LayerFormat.DELTA);
    ByteWriter from = new ByteWriter();
    origin.write(from);
    System.arraycopy(from.array(), 0, header, LayerFormat.ORIGIN, LayerOrigin.BYTES);
    LittleEndian.putI32(header, LayerFormat.GENERATION, generation);
    LittleEndian.putI64(header, LayerFormat.FIRST_KEY, firstKey);
    LittleEndian.putI64(header, LayerFormat.LAST_KEY, lastKey);
    LittleEndian.putI64(header, LayerFormat.START_LSN, startLsn);
    LittleEndian.putI64(header, LayerFormat.END_LSN, endLsn);
    LittleEndian.putI32(
        header,
        LayerFormat.HEADER_CHECKSUM,
        Crc32c.compute(header, 0, LayerFormat.HEADER_CHECKSUM));
    return header;
  }

  private void write(byte[] bytes, int length, long at) throws IOException {
    ByteBuffer buffer = ByteBuffer.wrap(bytes, 0, length);
    long position = at;
    while (buffer.hasRemaining()) {
      position += channel.write(buffer, position);
    }
  }

  @Override
  public void close() throws IOException {
    if (!finished) {
      zstd.close();
      try (channel) {
        Files.deleteIfExists(path);
      }
    }
  }
}
