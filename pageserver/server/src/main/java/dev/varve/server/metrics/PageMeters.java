package dev.varve.server.metrics;

import dev.varve.engine.tenant.TimelineName;
import io.micrometer.core.instrument.MeterRegistry;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The {@link PageMeter} of each timeline, made when it is first asked for: after the reader has
 * shown a token of it, or whoever reaches the port fills the memory with names.
 */
public final class PageMeters {
  private final MeterRegistry registry;
  private final Map<TimelineName, PageMeter> byId = new ConcurrentHashMap<>();

  public PageMeters(MeterRegistry registry) {
    this.registry = registry;
  }

  /** The meter of an attached timeline. */
  public PageMeter of(TimelineName id) {
    PageMeter meter = byId.get(id);
    return meter != null ? meter : byId.computeIfAbsent(id, key -> new PageMeter(registry, key));
  }

  /** Forgets a timeline that was detached. */
  void remove(TimelineName id) {
    byId.remove(id);
  }
}
