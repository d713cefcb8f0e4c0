package dev.varve.server.grpc;

import com.google.protobuf.ByteString;
import com.google.protobuf.UnsafeByteOperations;
import dev.varve.api.v1.GetPagesRequest;
import dev.varve.api.v1.GetPagesResponse;
import dev.varve.engine.PageserverException.InvalidRequest;
import dev.varve.engine.timeline.Timeline;
import io.grpc.Status;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Answers page requests from a timeline: the pages, or a status in the answer. An answer is made of
 * the page cache's own arrays: they are copied once, into the connection's buffer. Stateless and
 * thread-safe.
 */
final class PageReads {
  static final int MAX_BLOCKS = 512;

  private final Duration lsnTimeout;

  PageReads(Duration lsnTimeout) {
    this.lsnTimeout = lsnTimeout;
  }

  /** The answer if the page cache has every page of it, else null. Never blocks. */
  @Nullable GetPagesResponse cached(Timeline timeline, GetPagesRequest request) {
    int count = request.getBlockCount();
    if (count < 1 || count > MAX_BLOCKS) {
      return null;
    }
    byte[][] pages =
        timeline.cachedPages(
            Requests.locator(request.getRelation()),
            request.getRelation().getFork(),
            request.getFirstBlock(),
            count,
            request.getLsn());
    return pages == null ? null : answer(request, pages);
  }

  /** Blocks while the request's LSN has not been received. */
  void awaitLsn(Timeline timeline, GetPagesRequest request) {
    int count = request.getBlockCount();
    if (count < 1 || count > MAX_BLOCKS) {
      throw new InvalidRequest(
          "block_count is " + Integer.toUnsignedString(count) + "; expected 1 to 512");
    }
    if (Integer.toUnsignedLong(request.getFirstBlock()) + count > 0xFFFF_FFFFL) {
      throw new InvalidRequest(
          "no relation has " + count + " blocks from " + request.getFirstBlock() + " on");
    }
    timeline.waitFor(request.getLsn(), lsnTimeout);
  }

  /** The answer, after {@link #awaitLsn}. Blocks while pages are fetched. */
  GetPagesResponse read(Timeline timeline, GetPagesRequest request) {
    if (Requests.isSlru(request.getRelation())) {
      int slru = Requests.slru(request.getRelation());
      long first = Integer.toUnsignedLong(request.getFirstBlock());
      return answer(
          request, timeline.view(request.getLsn()).slruPages(slru, first, request.getBlockCount()));
    }
    byte[][] pages =
        timeline.sharedPages(
            Requests.locator(request.getRelation()),
            Requests.fork(request.getRelation()),
            request.getFirstBlock(),
            request.getBlockCount(),
            request.getLsn());
    return answer(request, pages);
  }

  private static GetPagesResponse answer(GetPagesRequest request, byte[][] pages) {
    List<ByteString> wrapped = Arrays.stream(pages).map(UnsafeByteOperations::unsafeWrap).toList();
    return GetPagesResponse.newBuilder()
        .setRequestId(request.getRequestId())
        .setPages(ByteString.copyFrom(wrapped)) // a rope of them: copies nothing, whatever its name
        .build();
  }

  /** The answer to a request that failed. */
  static GetPagesResponse failed(GetPagesRequest request, Throwable e) {
    Status status = GrpcStatus.of(e);
    String description = status.getDescription();
    return GetPagesResponse.newBuilder()
        .setRequestId(request.getRequestId())
        .setStatusCode(status.getCode().value())
        .setStatusMessage(description == null ? status.getCode().name() : description)
        .build();
  }
}
