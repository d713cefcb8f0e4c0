package dev.varve.server.attachment;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.engine.EngineOptions;
import dev.varve.engine.catalog.Shard;
import dev.varve.engine.postgres.ForkNumber;
import dev.varve.engine.postgres.RelFileLocator;
import dev.varve.engine.store.MemoryObjectStore;
import dev.varve.engine.tenant.Tenants;
import dev.varve.engine.tenant.TimelineName;
import dev.varve.engine.timeline.Timeline;
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
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Starts are rehearsed on the first timeline that can be read, a new one and after a restart. */
final class StartRehearsalIT {
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
    TimelineName id = new TimelineName("test", "main", Shard.WHOLE);
    try (PostgresServer primary = PostgresServer.builder(17).start()) {
      try (Attachments first = attachments()) {
        SourceSettings settings =
            SourceSettings.of(
                id, "127.0.0.1", primary.port(), "postgres", "", "", SslMode.DISABLE, "");
        first.attach(id, settings, Tenure.OWN);
        assertTrue(first.rehearsal().await(SECONDS) > 0);
        assertNotNull(firstOfPgClass(first.get(id).timeline()));
      }
      try (Attachments second = attachments()) {
        second.restore();
        assertTrue(second.rehearsal().await(SECONDS) > 0);
        assertNotNull(firstOfPgClass(second.get(id).timeline()));
      }
    }
  }

  /** Of the database {@code postgres}, if a read of it finds it in memory. */
  private static byte @Nullable [][] firstOfPgClass(Timeline timeline) {
    return timeline.cachedPages(
        new RelFileLocator(1663, 5, 1259), ForkNumber.MAIN, 0, 1, timeline.receivedLsn());
  }

  @Test
  void endsWithThePageserverWhenNothingCanBeRead() throws Exception {
    StartRehearsal none = new StartRehearsal(List.of());
    none.begin();
    none.close();
    assertEquals(0, none.await(SECONDS));
  }
}
