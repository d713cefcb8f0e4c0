package dev.varve.server.source;

import java.io.IOException;

/** An {@code ErrorResponse} of the server: its message (with hint and detail) and SQLSTATE. */
public final class ServerError extends IOException {
  private static final long serialVersionUID = 1L;

  private final String sqlState;

  public ServerError(String sqlState, String message) {
    super(message);
    this.sqlState = sqlState;
  }

  /** Five characters, such as {@code 28P01}; empty when the server gave none. */
  public String sqlState() {
    return sqlState;
  }

  /**
   * Whether the connection was ended on purpose: by an administrator, or since the server stops.
   */
  public boolean isTermination() {
    return sqlState.equals("57P01");
  }
}
