package dev.varve.server.grpc;

import dev.varve.server.grpc.BlockingReads.Room;
import dev.varve.server.grpc.BlockingReads.Work;
import io.grpc.stub.StreamObserver;
import java.util.function.Function;

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

  /** Likewise, for a read: what {@code read} returns is the only answer. */
  static <T> Work guarded(StreamObserver<T> answers, Function<Room, T> read) {
    return room ->
        guarded(
                answers,
                () -> {
                  answers.onNext(read.apply(room));
                  answers.onCompleted();
                })
            .run();
  }
}
