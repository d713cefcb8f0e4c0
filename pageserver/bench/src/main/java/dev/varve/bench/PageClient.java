package dev.varve.bench;

import dev.varve.compute.page.GrpcPageSource;
import dev.varve.compute.page.PageserverConnection;
import dev.varve.compute.page.RelationFork;
import dev.varve.compute.page.Waiter;
import dev.varve.testkit.PageserverProcess;
import java.io.IOException;
import java.time.Duration;

/**
 * One client: a connection of its own and the agent's way of reading over it, one request at a
 * time. One thread.
 */
final class PageClient implements AutoCloseable {
  private final PageserverConnection connection;
  private final GrpcPageSource source;
  private final RelationFork relation;

  PageClient(String address, RelationFork relation, long lsn) {
    this.relation = relation;
    connection = PageserverConnection.to(address);
    source =
        new GrpcPageSource(
            connection,
            null,
            PageserverProcess.TENANT + "/" + PageserverProcess.TIMELINE,
            lsn,
            Duration.ofSeconds(60));
  }

  void read(int block, int count) throws IOException {
    if (source.readPages(relation, block, count, false, Waiter.PATIENT).remaining()
        != count * 8192) {
      throw new IllegalStateException("block " + block + " is not there");
    }
  }

  @Override
  public void close() {
    source.close();
    connection.close();
  }
}
