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
import io.grpc.Context;
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
   * @param slruPages without the segments of SLRUs that can be read by pages
   * @param limit for the header, and then for each further part: an image may be long
   * @throws IOException naming the pageserver's own reason
   */
  public static GrpcImage request(
      PageserverConnection connection,
      @Nullable String token,
      String timeline,
      long lsn,
      boolean slruPages,
      Duration limit)
      throws IOException {
    for (int attempt = 1; ; attempt++) {
      long epoch = connection.epoch();
      try {
        return requestOnce(connection.channel(token), timeline, lsn, slruPages, limit);
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

  private static GrpcImage requestOnce(
      Channel channel, String timeline, long lsn, boolean slruPages, Duration limit)
      throws IOException {
    Parts parts =
        new Parts(
            channel,
            GetThinImageRequest.newBuilder()
                .setTimeline(timeline)
                .setLsn(lsn)
                .setSlruPages(slruPages)
                .build(),
            limit);
    GrpcImage image = null;
    try {
      GetThinImageResponse first = parts.next();
      if (first == null) {
        throw new IOException("the pageserver sent no image of timeline " + timeline);
      }
      if (!first.hasHeader()) {
        throw new IOException("the image of timeline " + timeline + " begins without a header");
      }
      ZstdInputStream tar = new ZstdInputStream(new Chunks(parts));
      tar.setContinuous(true);
      image = new GrpcImage(first.getHeader(), tar);
      return image;
    } finally {
      if (image == null) {
        parts.close();
      }
    }
  }

  /** The messages of the stream, each of which comes within a time limit, or the call ends. */
  private static final class Parts {
    private final Context.CancellableContext call = Context.ROOT.withCancellation();
    private final Iterator<GetThinImageResponse> answers;
    private final long limitNanos;

    /** When the message that is waited for is too late; 0: none is waited for. */
    private volatile long deadlineNanos;

    private volatile boolean late;
    private final Thread watch;

    Parts(Channel channel, GetThinImageRequest request, Duration limit) {
      limitNanos = limit.toNanos();
      Context before = call.attach();
      try {
        answers = PageServiceGrpc.newBlockingStub(channel).getThinImage(request);
      } finally {
        call.detach(before);
      }
      watch = Thread.ofVirtual().name("image-watch").start(this::watch);
    }

    private void watch() {
      try {
        while (!call.isCancelled()) {
          long deadline = deadlineNanos;
          long left = deadline == 0 ? limitNanos : deadline - System.nanoTime();
          if (left <= 0) {
            late = true;
            close();
            return;
          }
          TimeUnit.NANOSECONDS.sleep(left);
        }
      } catch (InterruptedException e) {
        return; // closed
      }
    }

    /** The next one; null at the end. */
    @Nullable GetThinImageResponse next() {
      deadlineNanos = (System.nanoTime() + limitNanos) | 1;
      try {
        if (answers.hasNext()) {
          return answers.next();
        }
        close();
        return null;
      } catch (StatusRuntimeException e) {
        close();
        throw late
            ? Status.DEADLINE_EXCEEDED
                .withDescription(
                    "nothing came for " + TimeUnit.NANOSECONDS.toSeconds(limitNanos) + " s")
                .asRuntimeException()
            : e;
      } finally {
        deadlineNanos = 0;
      }
    }

    void close() {
      call.cancel(null);
      watch.interrupt();
    }
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
    private final Parts parts;
    private ByteString chunk = ByteString.EMPTY;
    private int position;

    Chunks(Parts parts) {
      this.parts = parts;
    }

    private boolean fill() throws IOException {
      try {
        while (position == chunk.size()) {
          GetThinImageResponse part = parts.next();
          if (part == null) {
            return false;
          }
          chunk = part.getChunk();
          position = 0;
        }
        return true;
      } catch (StatusRuntimeException e) {
        throw new IOException("the image broke off: " + StatusText.of(e), e);
      }
    }

    @Override
    public void close() {
      parts.close();
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
