package dev.varve.compute.page;

import io.grpc.Status;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * Pages could not be had within the time limit, or the source refused; the message names what was
 * asked for and why not.
 */
public final class PageSourceException extends IOException {
  private static final long serialVersionUID = 1L;

  private final String kind;

  public PageSourceException(String message) {
    this(message, null);
  }

  public PageSourceException(String message, @Nullable Throwable cause) {
    super(message, cause);
    this.kind = cause == null ? "" : Status.fromThrowable(cause).getCode().toString();
  }

  /** The same for failures that have the same remedy. */
  public String kind() {
    return kind;
  }
}
