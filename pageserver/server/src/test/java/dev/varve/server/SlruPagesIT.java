package dev.varve.server;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.github.luben.zstd.ZstdInputStream;
import dev.varve.api.v1.GetPagesRequest;
import dev.varve.api.v1.GetPagesResponse;
import dev.varve.api.v1.GetThinImageRequest;
import dev.varve.api.v1.GetThinImageResponse;
import dev.varve.api.v1.PageServiceGrpc;
import dev.varve.api.v1.RelationFork;
import dev.varve.api.v1.SlruPages;
import dev.varve.api.v1.ThinImageHeader;
import dev.varve.api.v1.TimelineState;
import dev.varve.engine.store.LocalObjectStore;
import dev.varve.engine.timeline.EngineOptions;
import dev.varve.testkit.AgedCluster;
import dev.varve.testkit.PostgresServer;
import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;
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

  /** An image: its header, and the files of SLRUs by name. */
  private record Image(ThinImageHeader header, Map<String, byte[]> files) {}

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
      PageServiceGrpc.PageServiceBlockingStub pages =
          PageServiceGrpc.newBlockingStub(pageserver.channel());
      Image whole = image(pages, 0, false);
      assertEquals(0, whole.header().getSlruPagesCount());
      Image part = image(pages, whole.header().getLsn(), true);
      assertEquals(4, part.header().getSlruPagesCount());
      assertTrue(part.files().size() <= 16, part.files().keySet().toString());
      assertTrue(whole.files().size() > 30, whole.files().keySet().toString());

      Map<String, byte[]> together = new TreeMap<>(part.files());
      for (SlruPages run : part.header().getSlruPagesList()) {
        for (int i = 0; i < run.getPageCount(); i += SEGMENT_PAGES) {
          int first = run.getFirstPage() + i;
          GetPagesResponse answer =
              pages(pageserver, part.header().getLsn(), run.getSlru(), first, SEGMENT_PAGES);
          assertEquals(0, answer.getStatusCode(), answer.getStatusMessage());
          String name =
              DIRECTORIES.get(run.getSlru() - 1) + "/%04X".formatted(first / SEGMENT_PAGES);
          assertNull(together.put(name, answer.getPages().toByteArray()), name);
        }
      }
      assertEquals(whole.files().keySet(), together.keySet());
      whole.files().forEach((name, bytes) -> assertArrayEquals(bytes, together.get(name), name));

      assertEquals(Status.Code.INVALID_ARGUMENT, refusal(pageserver, part, 5, 0, 1));
      assertEquals(Status.Code.INVALID_ARGUMENT, refusal(pageserver, part, 1, 31, 2));
      assertEquals(Status.Code.NOT_FOUND, refusal(pageserver, part, 1, 1 << 14, 1));
    }
  }

  private static Status.Code refusal(
      TestPageserver pageserver, Image image, int slru, int first, int count) throws Exception {
    return Status.fromCodeValue(
            pages(pageserver, image.header().getLsn(), slru, first, count).getStatusCode())
        .getCode();
  }

  private static GetPagesResponse pages(
      TestPageserver pageserver, long lsn, int slru, int first, int count) throws Exception {
    CompletableFuture<GetPagesResponse> answer = new CompletableFuture<>();
    StreamObserver<GetPagesRequest> requests =
        PageServiceGrpc.newStub(pageserver.channel())
            .getPages(
                new StreamObserver<>() {
                  @Override
                  public void onNext(GetPagesResponse one) {
                    answer.complete(one);
                  }

                  @Override
                  public void onError(Throwable failure) {
                    answer.completeExceptionally(failure);
                  }

                  @Override
                  public void onCompleted() {}
                });
    requests.onNext(
        GetPagesRequest.newBuilder()
            .setTimeline(TIMELINE)
            .setLsn(lsn)
            .setRelation(RelationFork.newBuilder().setRelationNumber(slru))
            .setFirstBlock(first)
            .setBlockCount(count)
            .build());
    GetPagesResponse one = answer.get(30, TimeUnit.SECONDS);
    requests.onCompleted();
    return one;
  }

  private static Image image(
      PageServiceGrpc.PageServiceBlockingStub pages, long lsn, boolean slruPages)
      throws IOException {
    Iterator<GetThinImageResponse> answers =
        pages.getThinImage(
            GetThinImageRequest.newBuilder()
                .setTimeline(TIMELINE)
                .setLsn(lsn)
                .setSlruPages(slruPages)
                .build());
    ThinImageHeader header = answers.next().getHeader();
    ByteArrayOutputStream packed = new ByteArrayOutputStream();
    while (answers.hasNext()) {
      answers.next().getChunk().writeTo(packed);
    }
    Map<String, byte[]> files = new TreeMap<>();
    try (TarArchiveInputStream tar =
        new TarArchiveInputStream(
            new ZstdInputStream(new ByteArrayInputStream(packed.toByteArray())))) {
      for (TarArchiveEntry entry = tar.getNextEntry(); entry != null; entry = tar.getNextEntry()) {
        String name = entry.getName();
        if (!entry.isDirectory()
            && DIRECTORIES.stream().anyMatch(slru -> name.startsWith(slru + "/"))) {
          byte[] bytes = tar.readAllBytes();
          assertEquals(0, bytes.length % PAGE_BYTES);
          files.put(name, bytes);
        }
      }
    }
    return new Image(header, files);
  }
}
