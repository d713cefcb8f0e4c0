package dev.varve.compute.page;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * Pages could not be had within the time limit, or the source refused; the message names what was
 * asked for and why not.
 */
public final class PageSourceException extends IOException {
  private static final long serialVersionUID = 1L;

  public PageSourceException(String message) {
    super(message);
  }

  public PageSourceException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }
}
