package dev.varve.engine.check;

/** Is called as a check goes on, by one thread at a time. */
public interface CheckListener {
  void found(Finding finding);

  /** Now and then, after an object, a layer or a page. */
  default void progressed(CheckProgress progress) {}
}
