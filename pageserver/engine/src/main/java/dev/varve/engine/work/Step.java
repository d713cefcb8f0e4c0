package dev.varve.engine.work;

import java.io.IOException;

/**
 * One kind of a timeline's background work, done in bounded units: between two of them other work
 * has its turn. Called by one thread at a time. What disk or store refuse is an exception, after
 * which the step is called again later.
 */
interface Step {
  /** Nothing is to be done until something happens. */
  long WHEN_SIGNALLED = Long.MAX_VALUE;

  /** For messages: "publishing". */
  String name();

  /**
   * Does one unit.
   *
   * @return after how many nanoseconds it wants to be called again; 0: at once
   */
  long run() throws IOException;

  /** The timeline stops: what was begun is given up. */
  default void close() throws IOException {}
}
