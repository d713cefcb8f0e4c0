package dev.varve.s3.client;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.testkit.ExpectedLog;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

final class RequestWatchTest {
  /** A request that cannot be ended is not the last that is looked at. */
  @Test
  @Timeout(60)
  void goesOnAfterAnAbortThatFails() throws InterruptedException {
    ExpectedLog.containing("a request that does not move cannot be ended");
    try (RequestWatch watch = new RequestWatch(Duration.ofMillis(1))) {
      CountDownLatch failed = new CountDownLatch(1);
      watch.begin(() -> {
        failed.countDown();
        throw new IllegalStateException("injected");
      });
      failed.await();
      CountDownLatch ended = new CountDownLatch(1);
      RequestWatch.Request request = watch.begin(ended::countDown);
      ended.await();
      IOException explained = request.explain(new IOException("closed"));
      assertTrue(
          String.valueOf(explained.getMessage()).startsWith("no byte moved for "),
          explained::toString);
    }
  }
}
