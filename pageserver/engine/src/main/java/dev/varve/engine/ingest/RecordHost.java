package dev.varve.engine.ingest;

/** Who takes in a record that takes long. */
interface RecordHost {
  /** Brings everything before the record to files; the open layer is empty then. */
  void writeOut();

  /**
   * Waits a little before {@code work} is tried again.
   *
   * @throws dev.varve.engine.PageserverException when the timeline stopped: the record is not taken
   *     in
   */
  void retryLater(String work, Exception cause);

  /**
   * @throws dev.varve.engine.PageserverException when the timeline stopped
   */
  void requireHealthy();
}
