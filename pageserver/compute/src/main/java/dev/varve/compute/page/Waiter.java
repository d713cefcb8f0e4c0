package dev.varve.compute.page;

/** Who waits for an answer of a source, asked every fraction of a second. */
public interface Waiter {
  /** One that waits as long as the source takes. */
  Waiter PATIENT = () -> false;

  /** Whether nobody waits any more. */
  boolean gaveUp();
}
