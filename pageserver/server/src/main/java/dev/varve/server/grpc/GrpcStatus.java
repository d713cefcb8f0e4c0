package dev.varve.server.grpc;

import dev.varve.engine.PageserverException;
import dev.varve.engine.redo.RedoException;
import dev.varve.engine.store.FailureText;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.UncheckedIOException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Errors as gRPC statuses: what the contract in {@code pageserver.proto} promises. */
final class GrpcStatus {
  private static final Logger LOG = LoggerFactory.getLogger(GrpcStatus.class);

  private GrpcStatus() {}

  /**
   * The status of a failed request. What nobody foresaw is INTERNAL and logged, since the caller
   * cannot do anything about it.
   */
  static Status of(Throwable e) {
    return switch (e) {
      case PageserverException known -> of(known).withDescription(known.getMessage());
      case RedoException redo -> {
        LOG.error("a page cannot be redone", redo);
        yield Status.DATA_LOSS.withDescription(redo.getMessage());
      }
      case UncheckedIOException io -> Status.UNAVAILABLE.withDescription(FailureText.of(io));
      case StatusRuntimeException status -> status.getStatus();
      default -> {
        LOG.error("request failed", e);
        yield Status.INTERNAL.withDescription(
            "an error of the pageserver itself ("
                + e.getClass().getSimpleName()
                + ": "
                + FailureText.of(e)
                + "): its log has the rest; please report it");
      }
    };
  }

  private static Status of(PageserverException e) {
    return switch (e) {
      case PageserverException.InvalidRequest _ -> Status.INVALID_ARGUMENT;
      case PageserverException.Unauthenticated _ -> Status.UNAUTHENTICATED;
      case PageserverException.NotFound _ -> Status.NOT_FOUND;
      case PageserverException.LsnNotReceived _, PageserverException.Unavailable _ ->
          Status.UNAVAILABLE;
      case PageserverException.LsnCollected _, PageserverException.LayoutDiffers _ ->
          Status.FAILED_PRECONDITION;
      case PageserverException.Fenced _, PageserverException.NotHere _ -> Status.ABORTED;
      case PageserverException.TooNew _, PageserverException.TooOld _ -> Status.UNIMPLEMENTED;
      case PageserverException.Corrupt _ -> Status.DATA_LOSS;
    };
  }
}
