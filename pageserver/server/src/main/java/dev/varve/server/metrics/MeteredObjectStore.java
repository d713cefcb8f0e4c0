package dev.varve.server.metrics;

import dev.varve.engine.store.ObjectEntry;
import dev.varve.engine.store.ObjectExistsException;
import dev.varve.engine.store.ObjectNotFoundException;
import dev.varve.engine.store.ObjectStore;
import dev.varve.engine.store.StoreOutages;
import dev.varve.engine.store.StoreRefusedException;
import dev.varve.engine.store.StoreThrottledException;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;

/**
 * Times every attempt at an object store, by operation and outcome: ok, exists, missing, throttled,
 * refused, error.
 */
public final class MeteredObjectStore implements ObjectStore {
  private final ObjectStore store;
  private final MeterRegistry registry;

  public MeteredObjectStore(ObjectStore store, MeterRegistry registry) {
    this.store = store;
    this.registry = registry;
  }

  /** What fails of the store, for all of its users together. */
  public static void watch(StoreOutages outages, MeterRegistry registry) {
    for (StoreOutages.Kind kind : StoreOutages.Kind.values()) {
      FunctionCounter.builder(
              MetricName.OBJECT_STORE_FAILED_ATTEMPTS.id(), outages, o -> o.failedAttempts(kind))
          .description(MetricName.OBJECT_STORE_FAILED_ATTEMPTS.description())
          .tags("cause", kind.name().toLowerCase(Locale.ROOT))
          .register(registry);
    }
    Gauge.builder(MetricName.OBJECT_STORE_OUTAGE.id(), outages, StoreOutages::seconds)
        .description(MetricName.OBJECT_STORE_OUTAGE.description())
        .strongReference(true)
        .register(registry);
  }

  /** One request. */
  private interface Request<T> {
    T run() throws IOException;
  }

  private <T> T timed(String operation, Request<T> request) throws IOException {
    Timer.Sample sample = Timer.start(registry);
    String outcome = "error";
    try {
      T result = request.run();
      outcome = "ok";
      return result;
    } catch (ObjectExistsException e) {
      outcome = "exists";
      throw e;
    } catch (ObjectNotFoundException e) {
      outcome = "missing";
      throw e;
    } catch (StoreThrottledException e) {
      outcome = "throttled";
      throw e;
    } catch (StoreRefusedException e) {
      outcome = "refused";
      throw e;
    } finally {
      sample.stop(
          Timer.builder(MetricName.OBJECT_STORE.id())
              .description(MetricName.OBJECT_STORE.description())
              .tags("operation", operation, "outcome", outcome)
              .register(registry));
    }
  }

  @Override
  public byte[] get(String name) throws IOException {
    return timed("get", () -> store.get(name));
  }

  @Override
  public byte[] getRange(String name, long offset, int length) throws IOException {
    return timed("get_range", () -> store.getRange(name, offset, length));
  }

  @Override
  public void put(String name, byte[] bytes) throws IOException {
    timed(
        "put",
        () -> {
          store.put(name, bytes);
          return name;
        });
  }

  @Override
  public void putFile(String name, Path file) throws IOException {
    timed(
        "put_file",
        () -> {
          store.putFile(name, file);
          return name;
        });
  }

  @Override
  public void create(String name, byte[] bytes) throws IOException {
    timed(
        "create",
        () -> {
          store.create(name, bytes);
          return name;
        });
  }

  @Override
  public List<ObjectEntry> list(String prefix) throws IOException {
    return timed("list", () -> store.list(prefix));
  }

  @Override
  public List<ObjectEntry> list(String prefix, String after) throws IOException {
    return timed("list", () -> store.list(prefix, after));
  }

  @Override
  public void delete(String name) throws IOException {
    timed(
        "delete",
        () -> {
          store.delete(name);
          return name;
        });
  }
}
