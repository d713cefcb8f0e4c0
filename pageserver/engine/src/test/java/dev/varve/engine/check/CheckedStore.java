package dev.varve.engine.check;

import dev.varve.engine.store.ForwardingObjectStore;
import dev.varve.engine.store.ObjectStore;
import java.io.IOException;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;

/**
 * A test's object store. Closing it, after everything that wrote to it, checks it to the last byte:
 * whoever stopped in order has left nothing that no manifest lists.
 */
public final class CheckedStore extends ForwardingObjectStore implements AutoCloseable {
  private static final int SAMPLE = 200;

  public CheckedStore(ObjectStore inner) {
    super(inner);
  }

  /** What is not as it has to be in a store that nobody writes to. */
  public static List<Finding> findings(ObjectStore store) throws IOException {
    List<Finding> findings = new ArrayList<>();
    new StoreCheck(store, CheckOptions.atRest(SAMPLE), findings::add, InstantSource.system(), 4711)
        .run();
    return findings;
  }

  /**
   * Checks a store that nobody writes to.
   *
   * @throws AssertionError saying what is not as it has to be
   */
  public static void requireClean(ObjectStore store) throws IOException {
    List<Finding> findings = findings(store);
    if (!findings.isEmpty()) {
      throw new AssertionError("the store is not clean: " + findings);
    }
  }

  /** The same of one timeline whose place is in no tenant. */
  public static void requireCleanBelow(ObjectStore store, String prefix) throws IOException {
    List<Finding> findings = new ArrayList<>();
    new StoreCheck(store, CheckOptions.atRest(SAMPLE), findings::add, InstantSource.system(), 4711)
        .runBelow(prefix);
    if (!findings.isEmpty()) {
      throw new AssertionError("below " + prefix + " it is not clean: " + findings);
    }
  }

  @Override
  public void close() throws IOException {
    requireClean(this);
  }
}
