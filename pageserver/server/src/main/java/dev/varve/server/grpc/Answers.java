package dev.varve.server.grpc;

import io.grpc.stub.StreamObserver;

/** The boundary of a call: whatever its work throws becomes the call's status. */
final class Answers {
  private Answers() {}

  /** {@code work}, which answers through {@code answers}, with its exceptions answered too. */
  static Runnable guarded(StreamObserver<?> answers, Runnable work) {
    return () -> {
      try {
        work.run();
      } catch (RuntimeException | Error e) {
        answers.onError(GrpcStatus.of(e).asRuntimeException());
      }
    };
  }
}
