package dev.varve.server.grpc;

import dev.varve.engine.PageserverException.Unauthenticated;
import dev.varve.server.attachment.Token;
import io.grpc.Context;
import io.grpc.Contexts;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import org.jspecify.annotations.Nullable;

/** Keeps the token of a call's metadata in its context, hashed once a call. */
final class Bearer implements ServerInterceptor {
  private static final Metadata.Key<String> AUTHORIZATION =
      Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);
  private static final String SCHEME = "Bearer ";
  private static final Context.Key<Token> SHOWN = Context.key("varve-token");

  @Override
  public <Q, A> ServerCall.Listener<Q> interceptCall(
      ServerCall<Q, A> call, Metadata headers, ServerCallHandler<Q, A> next) {
    String value = headers.get(AUTHORIZATION);
    if (value == null || !value.regionMatches(true, 0, SCHEME, 0, SCHEME.length())) {
      return next.startCall(call, headers);
    }
    Token token = Token.of(value.substring(SCHEME.length()).strip());
    return Contexts.interceptCall(Context.current().withValue(SHOWN, token), call, headers, next);
  }

  /** What the call that this thread handles showed; to be asked before leaving its thread. */
  static @Nullable Token shown() {
    return SHOWN.get();
  }

  /**
   * @throws Unauthenticated unless {@code shown} is what is {@code wanted}; null: nothing is
   */
  static void require(@Nullable Token wanted, @Nullable Token shown) {
    if (wanted != null && !wanted.equals(shown)) {
      throw new Unauthenticated(
          "this pageserver is managed with its management token only: send it as authorization:"
              + " Bearer TOKEN");
    }
  }
}
