package dev.varve.server.grpc;

import com.google.protobuf.ByteString;
import com.google.protobuf.UnsafeByteOperations;
import dev.varve.api.v1.GetThinImageResponse;
import io.grpc.stub.ServerCallStreamObserver;
import java.io.IOException;
import java.io.OutputStream;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;

/**
 * Bytes of a thin image as messages of up to 256 kB. Waits while the client does not keep up, at
 * most a minute; fails when it is gone. Used by one thread.
 */
final class ThinImageStream extends OutputStream {
  private static final int CHUNK_BYTES = 256 << 10;
  private static final long PATIENCE_SECONDS = 60;

  private final ServerCallStreamObserver<GetThinImageResponse> out;
  private final Semaphore wake = new Semaphore(0);
  private byte[] chunk = new byte[CHUNK_BYTES];
  private int filled;

  /** To be made before the call's method returns, since it sets handlers. */
  ThinImageStream(ServerCallStreamObserver<GetThinImageResponse> out) {
    this.out = out;
    out.setOnReadyHandler(wake::release);
    out.setOnCancelHandler(wake::release);
  }

  @Override
  public void write(int b) throws IOException {
    write(new byte[] {(byte) b}, 0, 1);
  }

  @Override
  public void write(byte[] bytes, int offset, int length) throws IOException {
    int at = offset;
    int left = length;
    while (left > 0) {
      int count = Math.min(left, CHUNK_BYTES - filled);
      System.arraycopy(bytes, at, chunk, filled, count);
      filled += count;
      at += count;
      left -= count;
      if (filled == CHUNK_BYTES) {
        send();
      }
    }
  }

  /** Sends what is left. */
  void finish() throws IOException {
    if (filled > 0) {
      send();
    }
  }

  private void send() throws IOException {
    awaitReady();
    ByteString bytes = UnsafeByteOperations.unsafeWrap(chunk, 0, filled);
    out.onNext(GetThinImageResponse.newBuilder().setChunk(bytes).build());
    chunk = new byte[CHUNK_BYTES];
    filled = 0;
  }

  private void awaitReady() throws IOException {
    try {
      while (!out.isReady()) {
        if (out.isCancelled()) {
          throw new IOException("the client went away");
        }
        if (!wake.tryAcquire(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
          throw new IOException("the client has not read for " + PATIENCE_SECONDS + " s");
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("the pageserver stops", e);
    }
  }
}
