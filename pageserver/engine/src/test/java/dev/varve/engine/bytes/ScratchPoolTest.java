package dev.varve.engine.bytes;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** Scratch objects of threads that come and go. */
final class ScratchPoolTest {
  @Test
  void oneIsUsedAgainAndNeverTwiceAtOnce() {
    ScratchPool<byte[]> pool = new ScratchPool<>(() -> new byte[8]);
    byte[] first = pool.take();
    byte[] second = pool.take();
    assertNotSame(first, second);
    pool.give(second);
    assertSame(second, pool.take());
  }

  @Test
  void threadsOfOneRequestMakeFewAndShareNone() throws Exception {
    AtomicInteger made = new AtomicInteger();
    ScratchPool<AtomicBoolean> pool =
        new ScratchPool<>(() -> {
          made.incrementAndGet();
          return new AtomicBoolean();
        });
    AtomicInteger shared = new AtomicInteger();
    for (int round = 0; round < 100; round++) {
      List<Thread> threads = new ArrayList<>();
      for (int i = 0; i < 4; i++) {
        threads.add(
            Thread.ofVirtual()
                .start(() -> {
                  AtomicBoolean mine = pool.take();
                  if (!mine.compareAndSet(false, true)) {
                    shared.incrementAndGet();
                  }
                  mine.set(false);
                  pool.give(mine);
                }));
      }
      for (Thread thread : threads) {
        thread.join();
      }
    }
    assertEquals(0, shared.get());
    assertTrue(made.get() < 300, made + " for 400 requests");
  }
}
