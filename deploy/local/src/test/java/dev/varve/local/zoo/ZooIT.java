package dev.varve.local.zoo;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.testkit.PostgresServer;
import dev.varve.testkit.RootMount;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;

/**
 * A few animals of the zoo, chosen so that each has much of what others have; {@code
 * deploy/local/zoo} visits all.
 */
final class ZooIT {
  private static final int MAJOR = 17;
  private static final int PARALLEL = 2;
  private static final List<String> ANIMALS =
      List.of("together", "logins", "tables-moved", "answers", "extension-types", "multixact");

  @Test
  @EnabledIf(value = RootMount.CHECK, disabledReason = RootMount.NEEDS)
  void copiesOfAFewClustersEqualTheirOriginals() throws Exception {
    Path root = Path.of("").toAbsolutePath().resolve("../..").normalize();
    Path home = PostgresServer.temporaryDirectory();
    List<Animal> animals = Zoo.animals(ANIMALS);
    List<Visit> visits = Zoo.visit(root, home, animals, List.of(MAJOR), PARALLEL, false);
    assertEquals(animals.size(), visits.size());
    for (Visit visit : visits) {
      String name = visit.animal().name();
      assertTrue(visit.isEqual(), () -> name + ":\n" + String.join("\n", visit.report()));
      assertTrue(Arrays.stream(Comparison.values()).allMatch(visit::compared), name);
    }
    PostgresServer.deleteTree(home);
  }
}
