package dev.varve.server.metrics;

import dev.varve.engine.tenant.TimelineName;
import io.grpc.Status;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tags;
import io.micrometer.core.instrument.Timer;
import java.time.Duration;
import java.util.concurrent.TimeUnit;

/** The page reads of one timeline. Thread-safe, and cheap enough for every request. */
public final class PageMeter {
  private static final Duration[] BUCKETS = {
    Duration.ofNanos(20_000),
    Duration.ofNanos(50_000),
    Duration.ofNanos(100_000),
    Duration.ofNanos(200_000),
    Duration.ofNanos(500_000),
    Duration.ofMillis(1),
    Duration.ofMillis(2),
    Duration.ofMillis(5),
    Duration.ofMillis(10),
    Duration.ofMillis(20),
    Duration.ofMillis(50),
    Duration.ofMillis(100),
    Duration.ofMillis(200),
    Duration.ofMillis(500),
    Duration.ofSeconds(1),
    Duration.ofSeconds(5),
    Duration.ofSeconds(10)
  };

  private final MeterRegistry registry;
  private final Tags tags;
  private final Timer reads;
  private final Counter pages;

  PageMeter(MeterRegistry registry, TimelineName id) {
    this.registry = registry;
    tags = TimelineMeters.tags(id);
    reads =
        Timer.builder(MetricName.PAGE_READ.id())
            .description(MetricName.PAGE_READ.description())
            .tags(tags)
            .serviceLevelObjectives(BUCKETS)
            .register(registry);
    pages =
        Counter.builder(MetricName.PAGES_READ.id())
            .description(MetricName.PAGES_READ.description())
            .tags(tags)
            .register(registry);
  }

  /** A request was answered with so many pages after so long. */
  public void answered(int pageCount, long nanos) {
    reads.record(nanos, TimeUnit.NANOSECONDS);
    pages.increment(pageCount);
  }

  /** A request was answered with an error: a {@code google.rpc.Code}. */
  public void failed(int statusCode) {
    Counter.builder(MetricName.PAGE_READ_ERRORS.id())
        .description(MetricName.PAGE_READ_ERRORS.description())
        .tags(tags.and("status", Status.fromCodeValue(statusCode).getCode().name()))
        .register(registry)
        .increment();
  }
}
