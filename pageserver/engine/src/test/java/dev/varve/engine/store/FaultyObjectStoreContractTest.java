package dev.varve.engine.store;

import java.time.Duration;

/** A store that fails every fifth time, behind retries, keeps the contract. */
final class FaultyObjectStoreContractTest extends ObjectStoreContractTest {
  @Override
  protected ObjectStore create() {
    return new RetryingObjectStore(
        new FaultyObjectStore(new MemoryObjectStore(), 42, 20), 30, Duration.ZERO);
  }
}
