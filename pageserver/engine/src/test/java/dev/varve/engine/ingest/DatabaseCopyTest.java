package dev.varve.engine.ingest;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.engine.EngineOptions;
import dev.varve.engine.PageserverException;
import dev.varve.engine.catalog.RelationSize;
import dev.varve.engine.catalog.Shard;
import dev.varve.engine.check.CheckedStore;
import dev.varve.engine.layer.Chain;
import dev.varve.engine.layer.ImagePage;
import dev.varve.engine.layer.LayerDescriptor;
import dev.varve.engine.layer.RecordBoundary;
import dev.varve.engine.layer.TestOrigin;
import dev.varve.engine.layer.ValueKind;
import dev.varve.engine.postgres.ClusterIdentity;
import dev.varve.engine.postgres.Page;
import dev.varve.engine.postgres.PostgresMajor;
import dev.varve.engine.postgres.RelFileLocator;
import dev.varve.engine.read.PageReader;
import dev.varve.engine.redo.RedoContext;
import dev.varve.engine.store.MemoryObjectStore;
import dev.varve.engine.tree.DeltaRun;
import dev.varve.engine.tree.KeySpace;
import dev.varve.engine.tree.LayerMap;
import dev.varve.engine.tree.LayerResources;
import dev.varve.engine.tree.OpenLayer;
import dev.varve.engine.tree.TimelineLayers;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a copied database's pages become, and what a failure in between makes of them. */
final class DatabaseCopyTest {
  private static final String PREFIX = "tenants/t/timelines/m/";
  private static final long START = 0x1000;
  private static final long COPIED = 0x2000;
  private static final int SOURCE = KeySpace.FIRST_RELATION;
  private static final int COPY = SOURCE + 1;
  private static final int BLOCKS = 300;
  private static final List<DatabaseCopy.Fork> FORKS =
      List.of(
          new DatabaseCopy.Fork(
              SOURCE, COPY, new RelFileLocator(1663, 5, 16384), 0, RelationSize.of(BLOCKS)));

  @TempDir Path temporary;

  private Path directory;
  private final MemoryObjectStore memory = new MemoryObjectStore();
  private TimelineLayers layers;
  private RedoContext context;
  private final AtomicInteger unavailable = new AtomicInteger();
  private DatabaseCopy databases;

  @BeforeEach
  void attach() throws IOException {
    directory = temporary.resolve("layers");
    layers =
        TimelineLayers.attach(
            memory,
            TestOrigin.TIMELINES,
            TestOrigin.ORIGIN,
            directory,
            LayerResources.of(EngineOptions.defaults()),
            0,
            EngineOptions.defaults(),
            System::nanoTime);
    ClusterIdentity identity = new ClusterIdentity(4711, PostgresMajor.V17, 16 << 20);
    layers.commitImport(identity, START, List.of());
    OpenLayer open = new OpenLayer(START, 0, layers.memory());
    for (int block = 0; block < BLOCKS; block++) {
      byte[] image = new byte[ImagePage.MAX_BYTES];
      int length = ImagePage.encode(page(block), image);
      open.put(KeySpace.key(SOURCE, block), START + 8, ValueKind.IMAGE, image, 0, length);
    }
    open.endRecord(START, START + 8);
    layers.open(open);
    context = new RedoContext(PostgresMajor.V17, false);
    PageReader reader = new PageReader(this::map, () -> context);
    databases = new DatabaseCopy(layers, reader, Shard.WHOLE, EngineOptions.defaults());
  }

  @AfterEach
  void close() throws IOException {
    layers.close();
    CheckedStore.requireCleanBelow(memory, PREFIX);
  }

  private LayerMap map() {
    if (unavailable.getAndDecrement() > 0) {
      throw new PageserverException.Unavailable("the store does not answer", null);
    }
    return layers.map();
  }

  private static byte[] page(int block) {
    byte[] page = new byte[Page.SIZE];
    Arrays.fill(page, 24, Page.SIZE, (byte) (block % 250 + 1));
    return page;
  }

  /** Counts what is tried again, and ends the failure meanwhile. */
  private static class Host implements RecordHost {
    final List<String> retries = new ArrayList<>();

    @Override
    public void writeOut() {}

    @Override
    public void retryLater(String work, Exception cause) {
      retries.add(cause.getClass().getSimpleName());
    }

    @Override
    public void requireHealthy() {}
  }

  private void copy(RecordHost host) {
    RecordImages images = new RecordImages(layers, EngineOptions.defaults());
    RecordEntries entries = new RecordEntries(images, Objects.requireNonNull(layers.map().open()));
    entries.begin(COPIED, host);
    entries.writeOut();
    databases.toImageLayers(FORKS, entries);
  }

  private void assertCopied() {
    byte[] target = new byte[Page.SIZE];
    PageReader reader = new PageReader(layers::map, () -> context);
    for (int block = 0; block < BLOCKS; block++) {
      long key = KeySpace.key(COPY, block);
      assertTrue(reader.page(key, COPIED, 0, target, new Chain()), "block " + block);
      assertArrayEquals(page(block), target, "block " + block);
      assertFalse(reader.page(key, COPIED - 8, 0, target, new Chain()), "before the record");
    }
  }

  @Test
  void imagesAreOfTheRecordsEndAndNeedNoMemory() {
    int entries = layers.map().open().entryCount();
    copy(new Host());
    assertEquals(entries, layers.map().open().entryCount());
    assertCopied();
  }

  @Test
  void aDiskThatRefusesIsTriedAgain() throws IOException {
    Path away = temporary.resolve("away");
    Files.move(directory, away);
    Host host =
        new Host() {
          @Override
          public void retryLater(String work, Exception cause) {
            super.retryLater(work, cause);
            try {
              Files.move(away, directory);
            } catch (IOException e) {
              throw new AssertionError(e);
            }
          }
        };
    copy(host);
    assertEquals(List.of("NoSuchFileException"), host.retries);
    assertCopied();
  }

  @Test
  void aSourceThatCannotBeReadNowIsReadLater() {
    unavailable.set(3);
    Host host = new Host();
    copy(host);
    assertEquals(List.of("Unavailable", "Unavailable", "Unavailable"), host.retries);
    assertCopied();
  }

  @Test
  void aTimelineThatStopsTakesNothingIn() {
    unavailable.set(Integer.MAX_VALUE);
    Host host =
        new Host() {
          @Override
          public void requireHealthy() {
            throw new PageserverException.Unavailable("the timeline is being closed", null);
          }
        };
    assertThrows(PageserverException.Unavailable.class, () -> copy(host));
    assertEquals(List.of(), layers.map().files());
  }

  @Test
  void imagesArePublishedWithTheRecordsThatEndThere() throws IOException {
    copy(new Host());
    assertFalse(layers.publish(), "the record is not in a file yet");
    write(START, START + 8);
    assertTrue(layers.publish());
    assertEquals(List.of(false), listed());
    write(START + 8, COPIED);
    assertTrue(layers.publish());
    assertEquals(List.of(false, true, false), listed());
    assertEquals(0, layers.unpublishedBytes());
  }

  /** Whether they are images: the manifest's layers, in its order. */
  private List<Boolean> listed() {
    return layers.manifest().layers().stream().map(LayerDescriptor::isImage).toList();
  }

  private void write(long startLsn, long endLsn) throws IOException {
    OpenLayer written = layers.map().open();
    layers.freeze(new OpenLayer(endLsn, 0, layers.memory()), 0);
    try (DeltaRun out = new DeltaRun(layers, 0, startLsn, endLsn, Long.MAX_VALUE)) {
      out.addBoundary(new RecordBoundary(startLsn, endLsn));
      layers.fileWritten(written, out.finish().getFirst());
      out.keep();
    }
  }
}
