package dev.varve.testkit;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The check ends whatever locks are held. */
final class AmcheckIT {
  @Test
  @Timeout(90)
  void doesNotWaitForAPreparedTransaction() throws Exception {
    try (PostgresServer server = PostgresServer.builder(17).start()) {
      server.execute("postgres", "create table two_phase(i int primary key)");
      server.execute(
          "postgres", "begin", "insert into two_phase values (1)", "prepare transaction 'open'");
      assertEquals(List.of(), Amcheck.complaints(server));
    }
  }
}
