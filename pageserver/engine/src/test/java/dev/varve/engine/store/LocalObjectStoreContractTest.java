package dev.varve.engine.store;

import java.io.IOException;

final class LocalObjectStoreContractTest extends ObjectStoreContractTest {
  @Override
  protected ObjectStore create() throws IOException {
    return new LocalObjectStore(directory.resolve("store"));
  }
}
