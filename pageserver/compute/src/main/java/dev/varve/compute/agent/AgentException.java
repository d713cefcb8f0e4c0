package dev.varve.compute.agent;

import java.io.IOException;

/** The agent cannot do what was asked; the message says what to do instead. */
public final class AgentException extends IOException {
  private static final long serialVersionUID = 1L;

  public AgentException(String message) {
    super(message);
  }

  AgentException(String message, Throwable cause) {
    super(message, cause);
  }
}
