package dev.varve.server.metrics;

import dev.varve.engine.read.PageCache;
import dev.varve.engine.tenant.TimelineName;
import dev.varve.engine.timeline.SharedResources;
import dev.varve.engine.tree.LayerMemory;
import dev.varve.engine.tree.LayerResources;
import dev.varve.engine.tree.LocalDisk;
import dev.varve.server.attachment.Attachment;
import dev.varve.server.attachment.AttachmentState;
import dev.varve.server.attachment.AttachmentWatcher;
import dev.varve.server.attachment.TimelineReport;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.Meter;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tag;
import io.micrometer.core.instrument.Tags;
import java.util.List;
import java.util.function.ToDoubleFunction;
import org.jspecify.annotations.Nullable;

/**
 * Gauges of every attached timeline, tagged by tenant and timeline; they come with the attachment
 * and go with it.
 */
public final class TimelineMeters implements AttachmentWatcher {
  private final MeterRegistry registry;
  private final PageMeters pageMeters;

  public TimelineMeters(MeterRegistry registry, PageMeters pageMeters) {
    this.registry = registry;
    this.pageMeters = pageMeters;
  }

  static Tags tags(TimelineName id) {
    return Tags.of(
        "tenant",
        id.tenant(),
        "timeline",
        id.timeline(),
        "shard",
        Integer.toString(id.shard().index()));
  }

  /** What all timelines share. */
  public void watch(SharedResources shared) {
    LayerResources layers = shared.layers();
    Gauge.builder(MetricName.LAYER_MEMORY.id(), layers.memory(), LayerMemory::bytes)
        .description(MetricName.LAYER_MEMORY.description())
        .register(registry);
    Gauge.builder(MetricName.LOCAL_DISK.id(), layers.disk(), LocalDisk::bytes)
        .description(MetricName.LOCAL_DISK.description())
        .register(registry);
    FunctionCounter.builder(MetricName.DAMAGED_COPIES.id(), layers.disk(), LocalDisk::damagedCopies)
        .description(MetricName.DAMAGED_COPIES.description())
        .register(registry);
    PageCache cache = shared.pageCache();
    FunctionCounter.builder(MetricName.PAGE_CACHE_HITS.id(), cache, PageCache::hits)
        .description(MetricName.PAGE_CACHE_HITS.description())
        .register(registry);
    FunctionCounter.builder(MetricName.PAGE_CACHE_MISSES.id(), cache, PageCache::misses)
        .description(MetricName.PAGE_CACHE_MISSES.description())
        .register(registry);
  }

  @Override
  public void attached(Attachment attachment) {
    gauge(attachment, MetricName.LAG_BYTES, r -> orUnknown(r.lagBytes()));
    gauge(attachment, MetricName.LAG_SECONDS, r -> orUnknown(r.lagSeconds()));
    gauge(attachment, MetricName.RECEIVED_LSN, TimelineReport::receivedLsn);
    gauge(attachment, MetricName.PUBLISHED_LSN, TimelineReport::publishedLsn);
    gauge(attachment, MetricName.PRIMARY_LSN, TimelineReport::primaryLsn);
    gauge(attachment, MetricName.COPIED_BYTES, TimelineReport::copiedBytes);
    gauge(attachment, MetricName.LAYERS, TimelineReport::layerCount);
    gauge(attachment, MetricName.LAYER_BYTES, TimelineReport::layerBytes);
    gauge(attachment, MetricName.UNPUBLISHED_BYTES, TimelineReport::unpublishedBytes);
    gauge(attachment, MetricName.RETAINED_WAL_BYTES, r -> r.cost().retainedBytes());
    gauge(attachment, MetricName.RETAINED_WAL_SECONDS, r -> r.cost().retainedSeconds());
    FunctionCounter.builder(
            MetricName.STORAGE_ERRORS.id(), attachment, a -> a.report().storageErrors())
        .description(MetricName.STORAGE_ERRORS.description())
        .tags(tags(attachment.id()))
        .register(registry);
    gauge(attachment, MetricName.GENERATION, TimelineReport::generation);
    for (AttachmentState state : AttachmentState.values()) {
      Gauge.builder(MetricName.STATE.id(), attachment, a -> a.report().state() == state ? 1 : 0)
          .description(MetricName.STATE.description())
          .tags(tags(attachment.id()).and("state", state.name()))
          .strongReference(true)
          .register(registry);
    }
  }

  private static double orUnknown(@Nullable Number value) {
    return value == null ? Double.NaN : value.doubleValue();
  }

  private void gauge(
      Attachment attachment, MetricName name, ToDoubleFunction<TimelineReport> value) {
    Gauge.builder(name.id(), attachment, a -> value.applyAsDouble(a.report()))
        .description(name.description())
        .tags(tags(attachment.id()))
        .strongReference(true)
        .register(registry);
  }

  @Override
  public void detached(TimelineName id) {
    pageMeters.remove(id);
    List<Tag> tags = tags(id).stream().toList();
    List<Meter> own =
        registry.getMeters().stream().filter(m -> m.getId().getTags().containsAll(tags)).toList();
    own.forEach(registry::remove);
  }
}
