package dev.varve.server.attachment;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.engine.store.MemoryObjectStore;
import dev.varve.engine.tenant.Tenants;
import dev.varve.engine.tenant.TimelineId;
import dev.varve.engine.timeline.EngineOptions;
import dev.varve.engine.timeline.Shard;
import dev.varve.server.metrics.PageMeters;
import dev.varve.server.metrics.TimelineMeters;
import dev.varve.server.source.SourceSettings;
import dev.varve.server.source.SslMode;
import dev.varve.server.source.Tls;
import dev.varve.testkit.PostgresServer;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Images are made of the first timeline that can be read, a new one's and after a restart. */
final class ImageRehearsalIT {
  private static final long SECONDS = 60;

  @TempDir Path directory;

  private final MemoryObjectStore store = new MemoryObjectStore();

  private Attachments attachments() {
    MeterRegistry registry = new SimpleMeterRegistry();
    return new Attachments(
        new Tenants(store, directory.resolve("layers"), EngineOptions.defaults(), System::nanoTime),
        directory,
        new Tls(null),
        new TimelineMeters(registry, new PageMeters(registry)));
  }

  @Test
  void ofANewTimelineAndAfterARestart() throws Exception {
    TimelineId id = new TimelineId("test", "main", Shard.WHOLE);
    try (PostgresServer primary = PostgresServer.builder(17).start()) {
      try (Attachments first = attachments()) {
        SourceSettings settings =
            SourceSettings.of(
                id, "127.0.0.1", primary.port(), "postgres", "", "", SslMode.DISABLE, "");
        first.attach(id, settings, Tenure.OWN);
        assertTrue(first.rehearsal().await(SECONDS) > 0);
      }
      try (Attachments second = attachments()) {
        second.restore();
        assertTrue(second.rehearsal().await(SECONDS) > 0);
      }
    }
  }

  @Test
  void endsWithThePageserverWhenNothingCanBeRead() throws Exception {
    ImageRehearsal none = new ImageRehearsal(List.of());
    none.begin();
    none.close();
    assertEquals(0, none.await(SECONDS));
  }
}
