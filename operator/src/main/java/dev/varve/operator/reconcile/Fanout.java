package dev.varve.operator.reconcile;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Function;

/** The same for several shards at once, each on a virtual thread. */
final class Fanout {
  private Fanout() {}

  /**
   * What {@code action} makes of each, in order, when all are done.
   *
   * @throws IllegalStateException when one failed, or the waiting was interrupted
   */
  static <T, R> List<R> each(List<T> all, Function<T, R> action) {
    if (all.size() == 1) {
      return List.of(action.apply(all.getFirst()));
    }
    try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
      List<Future<R>> futures = new ArrayList<>();
      for (T one : all) {
        futures.add(threads.submit(() -> action.apply(one)));
      }
      List<R> results = new ArrayList<>();
      for (Future<R> future : futures) {
        results.add(future.get());
      }
      return results;
    } catch (ExecutionException e) {
      throw new IllegalStateException("one of several failed", e.getCause());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted", e);
    }
  }
}
