package dev.varve.server;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.api.v1.GetPagesResponse;
import dev.varve.api.v1.GetThinImageRequest;
import dev.varve.api.v1.RelationFork;
import dev.varve.api.v1.SlruPages;
import dev.varve.api.v1.TimelineState;
import dev.varve.engine.EngineOptions;
import dev.varve.engine.store.LocalObjectStore;
import dev.varve.testkit.AgedCluster;
import dev.varve.testkit.PostgresServer;
import io.grpc.Status;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Images of a cluster with many transactions, and the pages that they leave out. */
class SlruPagesIT {
  private static final int PAGE_BYTES = 8192;
  private static final int SEGMENT_PAGES = 32;
  private static final String TIMELINE = TestPageserver.TENANT + "/aged";
  private static final List<String> DIRECTORIES =
      List.of("pg_xact", "pg_multixact/offsets", "pg_multixact/members", "pg_commit_ts");

  @TempDir Path directory;

  @Test
  void whatAnImageLeavesOutIsReadByPages() throws Exception {
    try (PostgresServer primary =
            PostgresServer.builder(17).setting("track_commit_timestamp", "on").create();
        TestPageserver pageserver =
            TestPageserver.start(
                directory.resolve("pageserver"),
                new LocalObjectStore(directory.resolve("objects")),
                EngineOptions.defaults())) {
      primary.start();
      primary.stop();
      AgedCluster.age(primary, 10_000_000, 300_000, 300_000);
      primary.start();
      pageserver.attach("aged", TestPageserver.primary(primary.port()));
      pageserver.await(
          "aged", "active", status -> status.getState() == TimelineState.TIMELINE_STATE_ACTIVE);
      ServedPages pages = new ServedPages(pageserver.channel(), TIMELINE);
      ServedImage whole = image(pageserver, 0, false);
      assertEquals(0, whole.header().getSlruPagesCount());
      ServedImage part = image(pageserver, whole.header().getLsn(), true);
      assertEquals(4, part.header().getSlruPagesCount());
      assertTrue(part.files().size() <= 16, part.files().keySet().toString());
      assertTrue(whole.files().size() > 30, whole.files().keySet().toString());

      Map<String, byte[]> together = new TreeMap<>(part.files());
      for (SlruPages run : part.header().getSlruPagesList()) {
        for (int i = 0; i < run.getPageCount(); i += SEGMENT_PAGES) {
          int first = run.getFirstPage() + i;
          GetPagesResponse answer =
              pages.answer(slru(run.getSlru()), first, SEGMENT_PAGES, part.header().getLsn());
          assertEquals(0, answer.getStatusCode(), answer.getStatusMessage());
          String name =
              DIRECTORIES.get(run.getSlru() - 1) + "/%04X".formatted(first / SEGMENT_PAGES);
          assertNull(together.put(name, answer.getPages().toByteArray()), name);
        }
      }
      assertEquals(whole.files().keySet(), together.keySet());
      whole.files().forEach((name, bytes) -> assertArrayEquals(bytes, together.get(name), name));

      assertEquals(Status.Code.INVALID_ARGUMENT, refusal(pages, part, 5, 0, 1));
      assertEquals(Status.Code.INVALID_ARGUMENT, refusal(pages, part, 1, 31, 2));
      assertEquals(Status.Code.NOT_FOUND, refusal(pages, part, 1, 1 << 14, 1));
    }
  }

  private static Status.Code refusal(
      ServedPages pages, ServedImage image, int slru, int first, int count) throws Exception {
    return Status.fromCodeValue(
            pages.answer(slru(slru), first, count, image.header().getLsn()).getStatusCode())
        .getCode();
  }

  private static RelationFork slru(int number) {
    return RelationFork.newBuilder().setRelationNumber(number).build();
  }

  /** With the files of SLRUs only. */
  private static ServedImage image(TestPageserver pageserver, long lsn, boolean slruPages)
      throws IOException {
    ServedImage image =
        ServedImage.read(
            pageserver.channel(),
            GetThinImageRequest.newBuilder()
                .setTimeline(TIMELINE)
                .setLsn(lsn)
                .setSlruPages(slruPages)
                .build());
    Map<String, byte[]> files = new TreeMap<>(image.files());
    files
        .keySet()
        .removeIf(name ->
            name.endsWith("/")
                || DIRECTORIES.stream().noneMatch(slru -> name.startsWith(slru + "/")));
    files.values().forEach(bytes -> assertEquals(0, bytes.length % PAGE_BYTES));
    return new ServedImage(image.header(), files);
  }
}
