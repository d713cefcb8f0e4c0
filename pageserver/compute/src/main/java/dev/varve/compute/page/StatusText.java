package dev.varve.compute.page;

import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import org.jspecify.annotations.Nullable;

/** What a call to a pageserver failed with, in one line for people. */
public final class StatusText {
  private StatusText() {}

  /** The code, the pageserver's words or gRPC's, and the deepest cause that says more. */
  public static String of(StatusRuntimeException e) {
    Status status = e.getStatus();
    StringBuilder text = new StringBuilder(status.getCode().name());
    String description = status.getDescription();
    if (description != null && !description.isBlank()) {
      text.append(": ").append(description.lines().findFirst().orElseThrow());
    }
    @Nullable String said = null;
    for (Throwable cause = status.getCause(); cause != null; cause = cause.getCause()) {
      said = cause.getMessage() == null ? said : cause.getMessage();
    }
    if (said != null && text.indexOf(said) < 0) {
      text.append(": ").append(said);
    }
    return text.toString();
  }
}
