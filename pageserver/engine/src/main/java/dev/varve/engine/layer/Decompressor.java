package dev.varve.engine.layer;

import com.github.luben.zstd.ZstdDecompressCtx;
import com.github.luben.zstd.ZstdException;
import java.util.concurrent.ArrayBlockingQueue;

/**
 * Decompresses blocks with contexts that are used again: making one costs as much as a small block.
 * As many are kept as threads can run at once; they belong to no thread, since readers are virtual
 * threads that live for one request. Any thread.
 */
final class Decompressor {
  private static final ArrayBlockingQueue<ZstdDecompressCtx> IDLE =
      new ArrayBlockingQueue<>(Runtime.getRuntime().availableProcessors());

  private Decompressor() {}

  /**
   * The plain bytes of one zstd frame.
   *
   * @param length what the frame is said to hold; more than that is an error, less shows in the
   *     result's length
   * @throws ZstdException when the frame is damaged or holds more
   */
  static byte[] decompress(byte[] frame, int length) {
    ZstdDecompressCtx context = IDLE.poll();
    if (context == null) {
      context = new ZstdDecompressCtx();
    }
    // One that has failed is not used again.
    boolean sound = false;
    try {
      byte[] plain = context.decompress(frame, length);
      sound = true;
      return plain;
    } finally {
      if (!sound || !IDLE.offer(context)) {
        context.close();
      }
    }
  }
}
