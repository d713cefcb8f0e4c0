package dev.varve.engine.layer;

import com.github.luben.zstd.ZstdException;
import dev.varve.engine.PageserverException;
import dev.varve.engine.bytes.ByteReader;
import dev.varve.engine.bytes.Crc32c;
import dev.varve.engine.store.FailureText;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * One layer file ({@link LayerFormat}), open for reading. The index is read on first use and kept;
 * blocks come from the shared cache, or by one ranged read each. Any thread.
 *
 * <p>Whatever is damaged in every copy is {@link PageserverException.Corrupt} naming layer and
 * block; a source that does not answer is {@link PageserverException.Unavailable}.
 */
public final class Layer {
  private static final AtomicLong SERIALS = new AtomicLong();

  private final long serial = SERIALS.incrementAndGet();
  private final LayerDescriptor descriptor;
  private final LayerSource source;
  private final BlockCache cache;
  private volatile @Nullable LayerIndex index;

  public Layer(LayerDescriptor descriptor, LayerSource source, BlockCache cache) {
    this.descriptor = descriptor;
    this.source = source;
    this.cache = cache;
  }

  public LayerDescriptor descriptor() {
    return descriptor;
  }

  private LayerIndex index() {
    LayerIndex present = index;
    if (present == null) {
      // Two threads may both read it; the results are equal.
      byte[] header =
          verified(
              "header",
              0,
              LayerFormat.HEADER_BYTES,
              bytes -> {
                LayerIndex.checkHeader(descriptor, bytes);
                return bytes;
              });
      present =
          verified(
              "index",
              descriptor.indexOffset(),
              Math.toIntExact(descriptor.fileBytes() - descriptor.indexOffset()),
              bytes -> LayerIndex.parse(descriptor, header, bytes));
      index = present;
    }
    return present;
  }

  /** Makes something of a layer's bytes, or finds them {@link PageserverException.Corrupt}. */
  private interface Check<T> {
    T check(byte[] bytes);
  }

  /** Reads bytes that prove right; where those of one copy do not, those of another. */
  private <T> T verified(String what, long offset, int length, Check<T> check) {
    try {
      try {
        return check.check(source.read(offset, length));
      } catch (PageserverException.Corrupt damage) {
        byte[] other = source.readOtherCopy(offset, length, String.valueOf(damage.getMessage()));
        if (other == null) {
          throw damage;
        }
        return check.check(other);
      }
    } catch (IOException e) {
      throw new PageserverException.Unavailable(
          "layer " + descriptor.name() + ": " + what + " cannot be read: " + FailureText.of(e), e);
    }
  }

  private byte[] block(LayerIndex in, int number, boolean keep) {
    byte[] cached = cache.get(serial, number);
    if (cached != null) {
      return cached;
    }
    byte[] bytes = load(in, number);
    if (keep) {
      cache.put(serial, number, bytes);
    }
    return bytes;
  }

  /** Reads header and index, and checks that the index fits the file. */
  public void checkIndex() {
    index().check(descriptor);
  }

  /** Reads all there is, past the cache: damage is found before anybody trusts the file. */
  public void check() {
    LayerIndex in = index();
    for (int number = 0; number < in.dataBlocks + in.boundaryBlocks; number++) {
      var _ = stored(in, number);
    }
  }

  private byte[] stored(LayerIndex in, int number) {
    int stored = in.storedLength(number);
    int length = in.length(number);
    if (stored < 0 || length < stored || length > LayerFormat.MAX_BLOCK_BYTES) {
      throw corrupt(number, "lengths " + stored + " and " + length);
    }
    return verified(
        "block " + number,
        in.offset(number),
        stored,
        read -> {
          if (Crc32c.compute(read, 0, stored) != in.crc(number)) {
            throw corrupt(number, "wrong checksum");
          }
          return read;
        });
  }

  private byte[] load(LayerIndex in, int number) {
    byte[] bytes = stored(in, number);
    int stored = in.storedLength(number);
    int length = in.length(number);
    if (stored == length) {
      return bytes;
    }
    try {
      byte[] plain = Decompressor.decompress(bytes, length);
      if (plain.length != length) {
        throw corrupt(number, plain.length + " bytes instead of " + length);
      }
      return plain;
    } catch (ZstdException e) {
      throw corrupt(number, e.getMessage());
    }
  }

  private PageserverException.Corrupt corrupt(int block, @Nullable String what) {
    return new PageserverException.Corrupt(
        "layer " + descriptor.name() + ": block " + block + " is damaged: " + what);
  }

  /**
   * Adds the key's entries at or below {@code maxLsn} to the chain, newest first, until it is
   * complete. A key that an image layer does not have it knows nothing of.
   */
  public void collect(long key, long maxLsn, Chain chain) {
    LayerIndex in = index();
    if (!in.bloom.mightContain(key)) {
      return;
    }
    int number = in.findData(key, maxLsn);
    while (number >= 0 && !chain.isComplete()) {
      collectFrom(block(in, number, true), number, key, maxLsn, chain);
      // The key may have begun in the block before.
      if (in.firstKey(number) != key) {
        return;
      }
      number--;
    }
  }

  private void collectFrom(byte[] bytes, int number, long key, long maxLsn, Chain chain) {
    LayerCursor cursor = new LayerCursor(this, bytes, number);
    int first = -1;
    int count = 0;
    while (cursor.nextInBlock()) {
      int order = Long.compareUnsigned(cursor.key(), key);
      if (order > 0) {
        break;
      }
      if (order == 0) {
        if (Long.compareUnsigned(cursor.lsn(), maxLsn) > 0) {
          break;
        }
        if (count == 0 || cursor.kind().endsChain()) {
          first = cursor.entryStart();
          count = 0;
        }
        count++;
      }
    }
    if (count == 0) {
      return;
    }
    // From the last entry that ends a chain on, newest first.
    ValueKind[] kinds = new ValueKind[count];
    long[] lsns = new long[count];
    int[] offsets = new int[count];
    int[] lengths = new int[count];
    cursor.rewindTo(first, key);
    for (int i = 0; i < count; i++) {
      if (i > 0) {
        cursor.nextInBlock();
      }
      kinds[i] = cursor.kind();
      lsns[i] = cursor.lsn();
      offsets[i] = cursor.valueOffset();
      lengths[i] = cursor.valueLength();
    }
    for (int i = count - 1; i >= 0; i--) {
      chain.add(kinds[i], lsns[i], bytes, offsets[i], lengths[i]);
    }
  }

  /**
   * All entries from {@code fromKey} on, in order; blocks that it reads do not displace cached
   * ones.
   */
  public LayerCursor cursor(long fromKey) {
    return new LayerCursor(this, fromKey);
  }

  int dataBlocks() {
    return index().dataBlocks;
  }

  int firstBlockFor(long key) {
    return Math.max(0, index().findData(key, 0));
  }

  byte[] blockForScan(int number) {
    return block(index(), number, false);
  }

  /** The last record that ends at or before {@code lsn}; null when this layer knows none. */
  public @Nullable RecordBoundary boundaryAtOrBefore(long lsn) {
    LayerIndex in = index();
    int number = in.findBoundary(lsn);
    if (number < 0) {
      return null;
    }
    RecordBoundary found = boundaryIn(in, number, lsn);
    return found != null || number == in.dataBlocks ? found : boundaryIn(in, number - 1, lsn);
  }

  private @Nullable RecordBoundary boundaryIn(LayerIndex in, int number, long lsn) {
    RecordBoundary found = null;
    for (RecordBoundary boundary : boundaries(in, number)) {
      if (Long.compareUnsigned(boundary.endLsn(), lsn) > 0) {
        break;
      }
      found = boundary;
    }
    return found;
  }

  private List<RecordBoundary> boundaries(LayerIndex in, int number) {
    byte[] bytes = block(in, number, true);
    List<RecordBoundary> list = new ArrayList<>();
    ByteReader reader = new ByteReader("boundaries of layer " + descriptor.name(), bytes);
    long end = in.firstLsn(number);
    while (reader.remaining() > 0) {
      long start = end + (reader.varint() << 3);
      end = start + (reader.varint() << 3);
      list.add(new RecordBoundary(start, end));
    }
    return list;
  }

  /** Every record boundary, in order, to {@code sink}. */
  public void forEachBoundary(BoundarySink sink) throws IOException {
    LayerIndex in = index();
    for (int number = in.dataBlocks; number < in.dataBlocks + in.boundaryBlocks; number++) {
      for (RecordBoundary boundary : boundaries(in, number)) {
        sink.boundary(boundary);
      }
    }
  }

  /** Takes boundaries. */
  public interface BoundarySink {
    void boundary(RecordBoundary boundary) throws IOException;
  }
}
