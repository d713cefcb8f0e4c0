package dev.varve.server.grpc;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Who waits for room, and for whom. */
@Timeout(60)
class BlockingReadsTest {
  @Test
  void whoWaitsForAnLsnTakesNoRoom() throws Exception {
    CountDownLatch received = new CountDownLatch(1);
    CountDownLatch lagging = new CountDownLatch(100);
    AtomicInteger read = new AtomicInteger();
    try (BlockingReads reads = new BlockingReads(2)) {
      for (int i = 0; i < 100; i++) {
        reads.execute(
            "t/lags",
            room -> {
              lagging.countDown();
              await(received);
              room.read(read::incrementAndGet);
            });
      }
      lagging.await();
      for (String timeline : new String[] {"t/lags", "t/other"}) {
        CountDownLatch done = new CountDownLatch(1);
        reads.execute(
            timeline,
            room -> {
              room.read(read::incrementAndGet);
              done.countDown();
            });
        done.await();
      }
      assertEquals(2, read.get());
      received.countDown();
      while (read.get() < 102) {
        Thread.onSpinWait();
      }
    }
  }

  @Test
  void whatATimelineReadsLeavesRoomForOthers() throws Exception {
    CountDownLatch stored = new CountDownLatch(1);
    CountDownLatch hanging = new CountDownLatch(2);
    AtomicInteger begun = new AtomicInteger();
    try (BlockingReads reads = new BlockingReads(4)) {
      for (int i = 0; i < 100; i++) {
        reads.execute(
            "t/hangs",
            room ->
                room.read(() -> {
                  begun.incrementAndGet();
                  hanging.countDown();
                  await(stored);
                  return 0;
                }));
      }
      hanging.await();
      CountDownLatch done = new CountDownLatch(1);
      reads.execute(
          "t/other",
          room -> {
            room.read(() -> 0);
            done.countDown();
          });
      done.await();
      assertTrue(begun.get() == 2, "half of the room");
      stored.countDown();
    }
  }

  private static void await(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
