package dev.varve.engine.redo;

/**
 * A record that cannot be redone: not known, malformed, or at odds with its page. Stops the
 * timeline. The message of the thrower says what is wrong; the driver adds LSN, resource manager,
 * info bits, block and page.
 */
public final class RedoException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public RedoException(String message) {
    super(message);
  }

  public RedoException(String message, Throwable cause) {
    super(message, cause);
  }
}
