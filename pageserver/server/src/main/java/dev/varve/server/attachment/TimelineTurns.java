package dev.varve.server.attachment;

import dev.varve.engine.PageserverException;
import dev.varve.engine.store.StoreDeadline;
import dev.varve.engine.tenant.TimelineName;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Supplier;

/**
 * Work on one timeline takes turns; on different ones it goes on side by side. Whoever waits for a
 * turn does so until the caller's {@link StoreDeadline}. Any thread.
 */
final class TimelineTurns {
  private final Map<TimelineName, Turn> turns = new HashMap<>();

  private static final class Turn {
    final ReentrantLock lock = new ReentrantLock();
    int wanted;
  }

  /**
   * @throws PageserverException.Unavailable when the turn did not come in time
   */
  <T> T take(TimelineName id, Supplier<T> work) {
    Turn turn = want(id);
    try {
      if (!turn.lock.tryLock(StoreDeadline.current().nanosLeft(), TimeUnit.NANOSECONDS)) {
        throw new PageserverException.Unavailable(
            id + " is still being attached or detached by an earlier call", null);
      }
      try {
        return work.get();
      } finally {
        turn.lock.unlock();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new PageserverException.Unavailable("interrupted", e);
    } finally {
      done(id, turn);
    }
  }

  void run(TimelineName id, Runnable work) {
    var _ =
        take(
            id,
            () -> {
              work.run();
              return id;
            });
  }

  private synchronized Turn want(TimelineName id) {
    Turn turn = turns.computeIfAbsent(id, _ -> new Turn());
    turn.wanted++;
    return turn;
  }

  private synchronized void done(TimelineName id, Turn turn) {
    if (--turn.wanted == 0) {
      turns.remove(id);
    }
  }
}
