package dev.varve.engine.layer;

import dev.varve.engine.bytes.Crc32c;
import dev.varve.format.Envelope;

/**
 * The layout of a layer file; {@code docs/formats/layer.md} is its specification.
 *
 * <pre>
 * header   92 bytes: the envelope's head, then u8 kind (1 delta, 2 image), 3 bytes 0, u32 generation,
 *                    origin (16 bytes timeline, u16 shard, u16 shards, u32 stripe), u64 first key, u64 last key, u64 start LSN, u64 end LSN,
 *                    u32 CRC of the 88 bytes before
 * blocks   each a zstd frame or, when that would be longer, the bytes themselves
 * index    u32 data blocks, u32 boundary blocks, then 36 bytes for each:
 *                    u64 first key (boundary block: 0), u64 first LSN, u64 offset, u32 stored length, u32 length, u32 CRC of the stored bytes
 *          u32 length of the Bloom filter, the filter
 * footer   36 bytes: u64 index offset, u32 index length, u32 CRC of the index, u64 entries, u64 last record's LSN,
 *                    u32 CRC of the header and of the footer before
 * </pre>
 *
 * <p>Entries of a data block, ascending by key, LSN and arrival: varint key minus the key before
 * (the first: the key), in a delta layer varint LSN minus the layer's start LSN, u8 kind, varint
 * length, bytes. A boundary block: for each record varint (start − end before) / 8 and varint (end
 * − start) / 8, the first relative to the block's first LSN.
 */
final class LayerFormat {
  static final int DELTA = 1;
  static final int IMAGE = 2;
  static final int KIND = Envelope.HEAD_BYTES;
  static final int GENERATION = KIND + 4;
  static final int ORIGIN = GENERATION + 4;
  static final int FIRST_KEY = ORIGIN + LayerOrigin.BYTES;
  static final int LAST_KEY = FIRST_KEY + 8;
  static final int START_LSN = LAST_KEY + 8;
  static final int END_LSN = START_LSN + 8;
  static final int HEADER_CHECKSUM = END_LSN + 8;
  static final int HEADER_BYTES = HEADER_CHECKSUM + Envelope.CHECKSUM_BYTES;
  static final int FOOTER_CHECKSUM = 32;
  static final int FOOTER_BYTES = FOOTER_CHECKSUM + Envelope.CHECKSUM_BYTES;
  static final int INDEX_ENTRY_BYTES = 36;

  /** A block is closed when it has grown to this, before compression. */
  static final int BLOCK_BYTES = 32 << 10;

  /** A block is closed when it has so many, for a read of one looks through those before it. */
  static final int BLOCK_ENTRIES = 512;

  /** No block is longer: a value has one for itself when it must. */
  static final int MAX_BLOCK_BYTES = 128 << 20;

  private LayerFormat() {}

  /** The checksum at the end of the file: of everything, since the footer has the index's. */
  static int checksum(byte[] header, byte[] tail, int footer) {
    Crc32c crc = new Crc32c();
    crc.begin();
    crc.update(header, 0, HEADER_BYTES);
    crc.update(tail, footer, FOOTER_CHECKSUM);
    return crc.value();
  }
}
