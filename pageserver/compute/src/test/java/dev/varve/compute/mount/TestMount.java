package dev.varve.compute.mount;

import dev.varve.compute.fuse.FuseMountException;
import dev.varve.testkit.RootMount;
import java.io.IOException;
import org.junit.jupiter.api.Assumptions;

/**
 * Mounts for a test. An ordinary user may have {@code fusermount3} mount; where neither that nor a
 * {@link RootMount} is possible, the test is skipped.
 */
final class TestMount {
  private TestMount() {}

  static PageMount of(PageMount.Prepared prepared) throws IOException {
    try {
      return prepared.mount();
    } catch (FuseMountException e) {
      if (RootMount.isPossible()) {
        throw e;
      }
      return Assumptions.abort(RootMount.NEEDS + ": " + e.getMessage());
    }
  }
}
