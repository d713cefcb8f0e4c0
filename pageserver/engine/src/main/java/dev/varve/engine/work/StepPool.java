package dev.varve.engine.work;

/**
 * What a step competes with. Each pool runs a bounded number of steps at once, and none waits for
 * another pool: what frees memory is not behind what waits for the object store, and what the
 * primary's slot waits for is not behind what only saves reads.
 */
enum StepPool {
  /** Frozen layers become files on the local disk. */
  FLUSH(4),

  /** Files go to the object store and a manifest lists them. */
  PUBLISH(16),

  /** Merging, removing, auditing, warming. */
  IDLE(Math.max(2, Runtime.getRuntime().availableProcessors() / 2));

  /** How many steps run at once. */
  final int size;

  /** How many of one tenant: the rest is for the others. */
  final int sizePerTenant;

  StepPool(int size) {
    this.size = size;
    this.sizePerTenant = Math.max(1, size / 2);
  }
}
