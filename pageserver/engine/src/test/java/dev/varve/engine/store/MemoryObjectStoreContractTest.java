package dev.varve.engine.store;

final class MemoryObjectStoreContractTest extends ObjectStoreContractTest {
  @Override
  protected ObjectStore create() {
    return new MemoryObjectStore();
  }
}
