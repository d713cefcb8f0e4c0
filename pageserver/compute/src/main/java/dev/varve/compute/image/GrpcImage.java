package dev.varve.compute.image;

import com.github.luben.zstd.ZstdInputStream;
import com.google.protobuf.ByteString;
import dev.varve.api.v1.GetThinImageRequest;
import dev.varve.api.v1.GetThinImageResponse;
import dev.varve.api.v1.PageServiceGrpc;
import dev.varve.api.v1.ThinImageHeader;
import dev.varve.compute.page.PageserverConnection;
import dev.varve.compute.page.StatusText;
import io.grpc.Channel;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.time.Duration;
import java.util.Iterator;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** A thin image from a pageserver. */
public final class GrpcImage implements ImageSource {
  private static final int MOVED_ATTEMPTS = 5;
  private static final long MOVED_PAUSE_MILLIS = 200;

  private final ThinImageHeader header;
  private final InputStream tar;

  private GrpcImage(ThinImageHeader header, InputStream tar) {
    this.header = header;
    this.tar = tar;
  }

  /**
   * Asks for an image and waits for its header; when the timeline is not there any more, over a new
   * connection, which may lead to where it is.
   *
   * @param token null for none
   * @param lsn 0 for the newest
   * @throws IOException naming the pageserver's own reason
   */
  public static GrpcImage request(
      PageserverConnection connection,
      @Nullable String token,
      String timeline,
      long lsn,
      Duration limit)
      throws IOException {
    for (int attempt = 1; ; attempt++) {
      long epoch = connection.epoch();
      try {
        return requestOnce(connection.channel(token), timeline, lsn, limit);
      } catch (StatusRuntimeException e) {
        connection.renewAfter(e.getStatus().getCode(), epoch);
        if (e.getStatus().getCode() != Status.Code.ABORTED || attempt == MOVED_ATTEMPTS) {
          throw new IOException(
              "no image of timeline " + timeline + " from the pageserver: " + StatusText.of(e), e);
        }
      }
      pause();
    }
  }

  private static void pause() throws IOException {
    try {
      TimeUnit.MILLISECONDS.sleep(MOVED_PAUSE_MILLIS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new InterruptedIOException("interrupted while waiting for an image");
    }
  }

  private static GrpcImage requestOnce(Channel channel, String timeline, long lsn, Duration limit)
      throws IOException {
    Iterator<GetThinImageResponse> parts =
        PageServiceGrpc.newBlockingStub(channel)
            .withDeadlineAfter(limit.toMillis(), TimeUnit.MILLISECONDS)
            .getThinImage(
                GetThinImageRequest.newBuilder().setTimeline(timeline).setLsn(lsn).build());
    if (!parts.hasNext()) {
      throw new IOException("the pageserver sent no image of timeline " + timeline);
    }
    GetThinImageResponse first = parts.next();
    if (!first.hasHeader()) {
      throw new IOException("the image of timeline " + timeline + " begins without a header");
    }
    ZstdInputStream tar = new ZstdInputStream(new Chunks(parts));
    tar.setContinuous(true);
    return new GrpcImage(first.getHeader(), tar);
  }

  @Override
  public ThinImageHeader header() {
    return header;
  }

  @Override
  public InputStream tar() {
    return tar;
  }

  @Override
  public void close() throws IOException {
    tar.close();
  }

  /** The chunks of the stream, one behind the other. */
  private static final class Chunks extends InputStream {
    private final Iterator<GetThinImageResponse> parts;
    private ByteString chunk = ByteString.EMPTY;
    private int position;

    Chunks(Iterator<GetThinImageResponse> parts) {
      this.parts = parts;
    }

    private boolean fill() throws IOException {
      try {
        while (position == chunk.size()) {
          if (!parts.hasNext()) {
            return false;
          }
          chunk = parts.next().getChunk();
          position = 0;
        }
        return true;
      } catch (StatusRuntimeException e) {
        throw new IOException("the image broke off: " + StatusText.of(e), e);
      }
    }

    @Override
    public int read() throws IOException {
      return fill() ? chunk.byteAt(position++) & 0xFF : -1;
    }

    @Override
    public int read(byte[] bytes, int offset, int length) throws IOException {
      if (length == 0) {
        return 0;
      }
      if (!fill()) {
        return -1;
      }
      int count = Math.min(length, chunk.size() - position);
      chunk.substring(position, position + count).copyTo(bytes, offset);
      position += count;
      return count;
    }
  }
}
