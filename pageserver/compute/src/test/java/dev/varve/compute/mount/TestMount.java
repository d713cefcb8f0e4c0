package dev.varve.compute.mount;

import dev.varve.compute.fuse.FuseMountException;
import java.io.IOException;
import org.junit.jupiter.api.Assumptions;

/** Mounts for a test, which is skipped where this process cannot mount. */
final class TestMount {
  private TestMount() {}

  static PageMount of(PageMount.Prepared prepared) throws IOException {
    try {
      return prepared.mount();
    } catch (FuseMountException e) {
      return Assumptions.abort("SKIPPED, no page mount here: " + e.getMessage());
    }
  }
}
