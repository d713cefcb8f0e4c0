package dev.varve.engine.work;

import dev.varve.engine.PageserverException;
import dev.varve.engine.store.StoreDeadline;
import dev.varve.engine.tree.StorageFailures;

/** The timeline whose steps a {@link StepScheduler} calls. Any thread. */
interface StepHost {
  /** Whose turn it is. */
  String tenant();

  /** For messages: tenant/timeline. */
  String name();

  /** False when the timeline has stopped: its steps end. */
  boolean isRunning();

  /** Stops the timeline. */
  void fail(PageserverException reason);

  StorageFailures failures();

  /** Ends the steps' calls of the object store, which may wait for long, when they are to end. */
  StoreDeadline storeCalls();
}
