package dev.varve.server.grpc;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.ByteString;
import dev.varve.api.v1.AttachTimelineRequest;
import dev.varve.api.v1.DetachTimelineRequest;
import dev.varve.api.v1.GetPagesRequest;
import dev.varve.api.v1.GetPagesResponse;
import dev.varve.api.v1.GetStoredGenerationRequest;
import dev.varve.api.v1.GetThinImageRequest;
import dev.varve.api.v1.GetTimelineRequest;
import dev.varve.api.v1.HandOverTimelineRequest;
import dev.varve.api.v1.ListStoredTimelinesRequest;
import dev.varve.api.v1.ListTimelinesRequest;
import dev.varve.api.v1.ManagementServiceGrpc;
import dev.varve.api.v1.PageServiceGrpc;
import dev.varve.api.v1.PrimarySource;
import dev.varve.api.v1.SetReadTokensRequest;
import dev.varve.api.v1.StoredTimeline;
import dev.varve.api.v1.TimelineStatus;
import dev.varve.engine.EngineOptions;
import dev.varve.engine.store.MemoryObjectStore;
import dev.varve.engine.store.ObjectEntry;
import dev.varve.engine.tenant.Tenants;
import dev.varve.engine.tenant.TimelineName;
import dev.varve.server.attachment.Attachment;
import dev.varve.server.attachment.AttachmentWatcher;
import dev.varve.server.attachment.Attachments;
import dev.varve.server.metrics.PageMeters;
import dev.varve.server.source.Tls;
import dev.varve.testkit.ExpectedLog;
import dev.varve.testkit.FreePort;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.MetadataUtils;
import io.grpc.stub.StreamObserver;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Who counts generations and who shows which token. Two pageservers share an object store; the
 * primary is an address that refuses connections, so nothing gets beyond the empty timeline.
 */
final class ManagementTest {
  private static final String MANAGEMENT = "manage";
  private static final String TENANT = "shop.acme";
  private static final String TIMELINE = "orders";

  @TempDir Path directory;

  private final MemoryObjectStore store = new MemoryObjectStore();
  private final SimpleMeterRegistry meters = new SimpleMeterRegistry();
  private int refusingPort;
  private Node a;
  private Node b;

  /** One pageserver, and a channel to it. */
  private final class Node implements AutoCloseable {
    final Attachments attachments;
    final GrpcServer server;
    final ManagedChannel channel;

    Node(String name) throws IOException {
      Tenants tenants =
          new Tenants(store, directory.resolve(name), EngineOptions.defaults(), System::nanoTime);
      attachments =
          new Attachments(
              tenants, directory.resolve(name + "-data"), new Tls(null), new Unwatched());
      server =
          new GrpcServer(
              "127.0.0.1",
              0,
              attachments,
              new PageMeters(meters),
              4,
              4,
              Duration.ofMillis(100),
              MANAGEMENT);
      server.start();
      channel = ManagedChannelBuilder.forAddress("127.0.0.1", server.port()).usePlaintext().build();
    }

    ManagementServiceGrpc.ManagementServiceBlockingStub management(String token) {
      return ManagementServiceGrpc.newBlockingStub(channel)
          .withInterceptors(MetadataUtils.newAttachHeadersInterceptor(bearer(token)));
    }

    TimelineStatus await(Predicate<TimelineStatus> wanted) throws InterruptedException {
      long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
      while (true) {
        TimelineStatus status =
            management(MANAGEMENT)
                .getTimeline(
                    GetTimelineRequest.newBuilder()
                        .setTenant(TENANT)
                        .setTimeline(TIMELINE)
                        .build());
        if (wanted.test(status)) {
          return status;
        }
        assertTrue(System.nanoTime() < deadline, status::toString);
        TimeUnit.MILLISECONDS.sleep(20);
      }
    }

    @Override
    public void close() {
      channel.shutdownNow();
      server.close();
      attachments.close();
    }
  }

  private static final class Unwatched implements AttachmentWatcher {
    @Override
    public void attached(Attachment attachment) {}

    @Override
    public void detached(TimelineName id) {}
  }

  private static Metadata bearer(String token) {
    Metadata headers = new Metadata();
    headers.put(
        Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER), "Bearer " + token);
    return headers;
  }

  @BeforeEach
  void start() throws IOException {
    ExpectedLog.containing(TENANT + "/" + TIMELINE);
    refusingPort = FreePort.any();
    a = new Node("a");
    b = new Node("b");
  }

  @AfterEach
  void stop() {
    a.close();
    b.close();
  }

  private AttachTimelineRequest attach(int generation, String token) throws Exception {
    return attach(generation).toBuilder().setTokenSha256(hash(token)).build();
  }

  /** Without a token. */
  private AttachTimelineRequest attach(int generation) {
    return AttachTimelineRequest.newBuilder()
        .setTenant(TENANT)
        .setTimeline(TIMELINE)
        .setGeneration(generation)
        .setPrimary(primary())
        .build();
  }

  private static ByteString hash(String token) throws Exception {
    return ByteString.copyFrom(
        MessageDigest.getInstance("SHA-256").digest(token.getBytes(StandardCharsets.UTF_8)));
  }

  private PrimarySource primary() {
    return PrimarySource.newBuilder()
        .setHost("127.0.0.1")
        .setPort(refusingPort)
        .setUser("varve")
        .setSslMode("disable")
        .build();
  }

  private static Status.Code code(Runnable call) {
    return assertThrows(StatusRuntimeException.class, call::run).getStatus().getCode();
  }

  @Test
  void nobodyManagesWithoutTheManagementToken() {
    ListTimelinesRequest list = ListTimelinesRequest.getDefaultInstance();
    assertEquals(
        Status.Code.UNAUTHENTICATED, code(() -> a.management("other").listTimelines(list)));
    assertEquals(
        Status.Code.UNAUTHENTICATED,
        code(() -> ManagementServiceGrpc.newBlockingStub(a.channel).listTimelines(list)));
    assertEquals(0, a.management(MANAGEMENT).listTimelines(list).getTimelinesCount());
  }

  @Test
  void attachesThoughTheSourceCannotBeReached() throws Exception {
    assertEquals(7, a.management(MANAGEMENT).attachTimeline(attach(7, "t")).getGeneration());
    TimelineStatus status = a.await(s -> !s.getProblem().isEmpty());
    assertEquals(7, status.getGeneration());
    assertTrue(status.getProblem().contains("127.0.0.1:" + refusingPort), status.getProblem());
  }

  @Test
  void higherGenerationReplacesAndLowerIsRefused() throws Exception {
    a.management(MANAGEMENT).attachTimeline(attach(2, "t"));
    assertEquals(2, a.management(MANAGEMENT).attachTimeline(attach(2, "t")).getGeneration());
    assertEquals(3, a.management(MANAGEMENT).attachTimeline(attach(3, "t")).getGeneration());
    AttachTimelineRequest old = attach(2, "t");
    assertEquals(Status.Code.ABORTED, code(() -> a.management(MANAGEMENT).attachTimeline(old)));

    AttachTimelineRequest same = attach(3, "t");
    assertEquals(Status.Code.ABORTED, code(() -> b.management(MANAGEMENT).attachTimeline(same)));
    GetStoredGenerationRequest stored =
        GetStoredGenerationRequest.newBuilder().setTenant(TENANT).setTimeline(TIMELINE).build();
    assertEquals(3, b.management(MANAGEMENT).getStoredGeneration(stored).getGeneration());
    assertEquals(4, b.management(MANAGEMENT).attachTimeline(attach(4, "t")).getGeneration());
  }

  @Test
  void handsOverOnlyWhatCanBeRead() throws Exception {
    HandOverTimelineRequest request =
        HandOverTimelineRequest.newBuilder().setTenant(TENANT).setTimeline(TIMELINE).build();
    assertEquals(
        Status.Code.NOT_FOUND, code(() -> a.management(MANAGEMENT).handOverTimeline(request)));
    a.management(MANAGEMENT).attachTimeline(attach(1, "t"));
    assertEquals(
        Status.Code.UNAVAILABLE, code(() -> a.management(MANAGEMENT).handOverTimeline(request)));
    assertEquals(
        Status.Code.UNAUTHENTICATED, code(() -> a.management("other").handOverTimeline(request)));
  }

  @Test
  void readsNeedTheToken() throws Exception {
    a.management(MANAGEMENT).attachTimeline(attach(1, "first"));
    assertEquals(Status.Code.UNAUTHENTICATED, thinImage("other"));
    assertTrue(thinImage("first") != Status.Code.UNAUTHENTICATED);
    assertEquals(Status.Code.UNAUTHENTICATED.value(), page("other"));
    assertTrue(page("first") != Status.Code.UNAUTHENTICATED.value());

    a.management(MANAGEMENT).attachTimeline(attach(1, "second"));
    assertEquals(Status.Code.UNAUTHENTICATED, thinImage("first"));
    assertTrue(thinImage("second") != Status.Code.UNAUTHENTICATED);
  }

  @Test
  void nothingButItsDeletionOpensWhatATokenClosed() throws Exception {
    a.management(MANAGEMENT).attachTimeline(attach(1, "first"));
    a.management(MANAGEMENT).attachTimeline(attach(1));
    assertReadWith("first");
    a.management(MANAGEMENT).attachTimeline(attach(2));
    assertReadWith("first");

    DetachTimelineRequest detach =
        DetachTimelineRequest.newBuilder().setTenant(TENANT).setTimeline(TIMELINE).build();
    a.management(MANAGEMENT).detachTimeline(detach);
    a.management(MANAGEMENT).attachTimeline(attach(3));
    assertReadWith("first");

    a.close();
    a = new Node("a");
    a.management(MANAGEMENT).attachTimeline(attach(4));
    assertReadWith("first");
    a.management(MANAGEMENT).attachTimeline(attach(4, "second"));
    assertReadWith("second");

    a.management(MANAGEMENT).detachTimeline(detach.toBuilder().setDeleteObjects(true).build());
    a.management(MANAGEMENT).attachTimeline(attach(1));
    assertTrue(thinImage("any") != Status.Code.UNAUTHENTICATED);
  }

  /** What it knew cannot be read: then nobody may, rather than everybody. */
  @ParameterizedTest
  @ValueSource(strings = {"", "{", "{}", "null", "{\"sha256\":[\"00\"]}"})
  void aDamagedRecordOfTheTokensClosesTheTimeline(String damaged) throws Exception {
    a.management(MANAGEMENT).attachTimeline(attach(1, "first"));
    a.close();
    try (Stream<Path> files = Files.walk(directory.resolve("a-data").resolve("tokens"))) {
      Files.writeString(files.filter(Files::isRegularFile).findFirst().orElseThrow(), damaged);
    }
    a = new Node("a");
    ExpectedLog.containing("does not say which tokens");
    a.management(MANAGEMENT).attachTimeline(attach(2));
    assertEquals(Status.Code.UNAUTHENTICATED, thinImage("first"));
    a.management(MANAGEMENT).attachTimeline(attach(2, "first"));
    assertReadWith("first");
  }

  private void assertReadWith(String token) throws Exception {
    assertEquals(Status.Code.UNAUTHENTICATED, thinImage("none of them"));
    assertEquals(Status.Code.UNAUTHENTICATED.value(), page("none of them"));
    assertTrue(thinImage(token) != Status.Code.UNAUTHENTICATED);
    assertTrue(page(token) != Status.Code.UNAUTHENTICATED.value());
  }

  @Test
  void aTokenIsRotatedWithAnOverlap() throws Exception {
    a.management(MANAGEMENT).attachTimeline(attach(1, "first"));
    SetReadTokensRequest rotate =
        SetReadTokensRequest.newBuilder()
            .setTenant(TENANT)
            .setTimeline(TIMELINE)
            .setTokenSha256(hash("second"))
            .setPreviousTokenSha256(hash("first"))
            .build();
    a.management(MANAGEMENT).setReadTokens(rotate);
    assertReadWith("first");
    assertReadWith("second");
    assertEquals(List.of(hash("second"), hash("first")), a.await(_ -> true).getTokenSha256List());

    a.management(MANAGEMENT)
        .attachTimeline(
            attach(2, "third").toBuilder().setPreviousTokenSha256(hash("second")).build());
    assertReadWith("second");
    assertReadWith("third");
    assertEquals(Status.Code.UNAUTHENTICATED, thinImage("first"));

    a.management(MANAGEMENT)
        .setReadTokens(
            rotate.toBuilder().setTokenSha256(hash("third")).clearPreviousTokenSha256().build());
    assertReadWith("third");
    assertEquals(Status.Code.UNAUTHENTICATED, thinImage("second"));

    assertEquals(
        Status.Code.INVALID_ARGUMENT,
        code(() ->
            a.management(MANAGEMENT).setReadTokens(rotate.toBuilder().clearTokenSha256().build())));
    assertEquals(
        Status.Code.INVALID_ARGUMENT,
        code(() ->
            a.management(MANAGEMENT)
                .attachTimeline(
                    attach(3).toBuilder()
                        .setPreviousTokenSha256(rotate.getTokenSha256())
                        .build())));
    assertEquals(Status.Code.NOT_FOUND, code(() -> b.management(MANAGEMENT).setReadTokens(rotate)));
    assertEquals(
        Status.Code.UNAUTHENTICATED, code(() -> a.management("other").setReadTokens(rotate)));
    assertReadWith("third");
  }

  /** Whoever reaches the port can send any name: none of them may cost memory that stays. */
  @Test
  void whatIsRefusedLeavesNothing() throws Exception {
    a.management(MANAGEMENT).attachTimeline(attach(1, "t"));
    assertEquals(Status.Code.UNAUTHENTICATED.value(), page("other"));
    assertEquals(Status.Code.ABORTED.value(), page("other", TENANT + "/nobody"));
    assertEquals(Status.Code.INVALID_ARGUMENT.value(), page("other", "nobody"));
    assertEquals(List.of(), meters.getMeters());

    assertTrue(page("t") != Status.Code.OK.value());
    assertFalse(meters.getMeters().isEmpty());
  }

  private Status.Code thinImage(String token) {
    GetThinImageRequest request =
        GetThinImageRequest.newBuilder().setTimeline(TENANT + "/" + TIMELINE).build();
    return code(() ->
        PageServiceGrpc.newBlockingStub(a.channel)
            .withInterceptors(MetadataUtils.newAttachHeadersInterceptor(bearer(token)))
            .getThinImage(request)
            .forEachRemaining(part -> {}));
  }

  private int page(String token) throws Exception {
    return page(token, TENANT + "/" + TIMELINE);
  }

  private int page(String token, String timeline) throws Exception {
    CompletableFuture<Integer> answer = new CompletableFuture<>();
    StreamObserver<GetPagesRequest> requests =
        PageServiceGrpc.newStub(a.channel)
            .withInterceptors(MetadataUtils.newAttachHeadersInterceptor(bearer(token)))
            .getPages(
                new StreamObserver<>() {
                  @Override
                  public void onNext(GetPagesResponse response) {
                    answer.complete(response.getStatusCode());
                  }

                  @Override
                  public void onError(Throwable t) {
                    answer.completeExceptionally(t);
                  }

                  @Override
                  public void onCompleted() {}
                });
    requests.onNext(
        GetPagesRequest.newBuilder().setTimeline(timeline).setLsn(1).setBlockCount(1).build());
    int code = answer.get(20, TimeUnit.SECONDS);
    requests.onCompleted();
    return code;
  }

  @Test
  void deletesWhatTheStoreHoldsAttachedOrNot() throws Exception {
    a.management(MANAGEMENT).attachTimeline(attach(1, "t"));
    assertTrue(store.list("tenants/" + TENANT + "/").size() > 0);
    DetachTimelineRequest delete =
        DetachTimelineRequest.newBuilder()
            .setTenant(TENANT)
            .setTimeline(TIMELINE)
            .setDeleteObjects(true)
            .build();
    a.management(MANAGEMENT).detachTimeline(delete);
    assertEquals(0, store.list("tenants/" + TENANT + "/").size());
    a.management(MANAGEMENT).detachTimeline(delete);

    DetachTimelineRequest withSlot =
        delete.toBuilder().setDropSlot(true).setPrimary(primary()).build();
    assertEquals(
        Status.Code.UNAVAILABLE, code(() -> a.management(MANAGEMENT).detachTimeline(withSlot)));
  }

  /** Retained whole, wanted in two shards: that would begin anew beside the data. */
  @Test
  void anotherLayoutThanTheStoredOneIsRefusedAndLeavesTheData() throws Exception {
    a.management(MANAGEMENT).attachTimeline(attach(1, "t"));
    DetachTimelineRequest detach =
        DetachTimelineRequest.newBuilder().setTenant(TENANT).setTimeline(TIMELINE).build();
    a.management(MANAGEMENT).detachTimeline(detach);
    List<String> before = names();

    String shard = "0-of-2-by-2048";
    AttachTimelineRequest sharded = attach(2, "t").toBuilder().setShard(shard).build();
    GetStoredGenerationRequest stored =
        GetStoredGenerationRequest.newBuilder()
            .setTenant(TENANT)
            .setTimeline(TIMELINE)
            .setShard(shard)
            .build();
    DetachTimelineRequest delete =
        detach.toBuilder().setShard(shard).setDeleteObjects(true).build();
    List<Consumer<ManagementServiceGrpc.ManagementServiceBlockingStub>> calls =
        List.of(
            s -> s.attachTimeline(sharded),
            s -> s.getStoredGeneration(stored),
            s -> s.detachTimeline(delete));
    for (var call : calls) {
      Status status =
          assertThrows(StatusRuntimeException.class, () -> call.accept(b.management(MANAGEMENT)))
              .getStatus();
      assertEquals(Status.Code.FAILED_PRECONDITION, status.getCode());
      assertTrue(status.getDescription().contains("1 shard, not as 2 shards"), status::toString);
    }
    assertEquals(before, names());
    assertEquals(2, b.management(MANAGEMENT).attachTimeline(attach(2, "t")).getGeneration());
  }

  /** Retained, and the name given to a new timeline; then the old one adopted under another. */
  @Test
  void aNameLeadsToTheTimelineThatItsHolderSays() throws Exception {
    String old = "00000000000000000000000000000001";
    String young = "00000000000000000000000000000002";
    String name = TENANT + "/" + TIMELINE;
    AttachTimelineRequest first = attach(5, "old's").toBuilder().setTimelineId(old).build();
    AttachTimelineRequest second = attach(1, "t").toBuilder().setTimelineId(young).build();
    DetachTimelineRequest retain =
        DetachTimelineRequest.newBuilder()
            .setTenant(TENANT)
            .setTimeline(TIMELINE)
            .setTimelineId(old)
            .setRetain(true)
            .build();
    GetStoredGenerationRequest stored =
        GetStoredGenerationRequest.newBuilder()
            .setTenant(TENANT)
            .setTimeline(TIMELINE)
            .setTimelineId(young)
            .build();
    var management = a.management(MANAGEMENT);
    management.attachTimeline(first);
    assertEquals(old, a.await(s -> true).getTimelineId());
    assertEquals(Status.Code.UNAVAILABLE, code(() -> management.attachTimeline(second)));
    management.detachTimeline(retain);
    assertEquals(0, management.getStoredGeneration(stored).getGeneration());
    management.attachTimeline(second);
    assertEquals(young, a.await(s -> true).getTimelineId());

    // Whoever is late, of the old one: it reads nothing, and ends nothing.
    assertEquals(Status.Code.ABORTED.value(), page("t", name + "@" + old));
    assertTrue(page("t", name + "@" + young) != Status.Code.ABORTED.value());
    assertTrue(page("t") != Status.Code.ABORTED.value());
    assertEquals(Status.Code.INVALID_ARGUMENT.value(), page("t", name + "@../" + old));
    assertEquals(Status.Code.UNAUTHENTICATED.value(), page("old's", name + "@" + young));
    assertEquals(Status.Code.NOT_FOUND, code(() -> management.detachTimeline(retain)));
    SetReadTokensRequest tokens =
        SetReadTokensRequest.newBuilder()
            .setTenant(TENANT)
            .setTimeline(TIMELINE)
            .setTimelineId(old)
            .setTokenSha256(hash("old's"))
            .build();
    assertEquals(Status.Code.NOT_FOUND, code(() -> management.setReadTokens(tokens)));
    assertEquals(
        Status.Code.NOT_FOUND,
        code(() ->
            management.handOverTimeline(
                HandOverTimelineRequest.newBuilder()
                    .setTenant(TENANT)
                    .setTimeline(TIMELINE)
                    .setTimelineId(old)
                    .build())));
    management.detachTimeline(retain.toBuilder().setDeleteObjects(true).build());
    assertEquals(young, a.await(s -> true).getTimelineId());
    assertReadWith("t");
    assertTrue(names().stream().noneMatch(object -> object.contains(old)), names()::toString);
    assertEquals(1, management.getStoredGeneration(stored).getGeneration());
  }

  @Test
  void whatIsRetainedIsListedAndAdoptedWhenItIsThere() throws Exception {
    String uid = "00000000000000000000000000000003";
    var management = a.management(MANAGEMENT);
    AttachTimelineRequest adopting =
        attach(1, "t").toBuilder().setTimelineId(uid).setAdopt(true).build();
    assertEquals(Status.Code.NOT_FOUND, code(() -> management.attachTimeline(adopting)));
    assertEquals(List.of(), names());

    management.attachTimeline(attach(1, "t").toBuilder().setTimelineId(uid).build());
    ListStoredTimelinesRequest list =
        ListStoredTimelinesRequest.newBuilder().setTenant(TENANT).build();
    assertEquals(0, management.listStoredTimelines(list).getTimelines(0).getRetainedSinceSeconds());
    management.detachTimeline(
        DetachTimelineRequest.newBuilder()
            .setTenant(TENANT)
            .setTimeline(TIMELINE)
            .setTimelineId(uid)
            .setRetain(true)
            .build());
    StoredTimeline one = b.management(MANAGEMENT).listStoredTimelines(list).getTimelines(0);
    assertEquals(uid, one.getTimelineId());
    assertEquals(TIMELINE, one.getTimeline());
    assertTrue(one.getRetainedSinceSeconds() > 0);
    assertEquals(
        0,
        management
            .listStoredTimelines(list.toBuilder().addExceptTimelineIds(uid).build())
            .getTimelinesCount());
    // Nothing of it was ever published.
    assertEquals(Status.Code.NOT_FOUND, code(() -> management.attachTimeline(adopting)));
  }

  private List<String> names() {
    return store.list("").stream().map(ObjectEntry::name).toList();
  }

  @Test
  void nothingToServeWithoutSourceIsRefused() throws Exception {
    AttachTimelineRequest request = attach(1, "t").toBuilder().clearPrimary().build();
    assertEquals(
        Status.Code.NOT_FOUND, code(() -> a.management(MANAGEMENT).attachTimeline(request)));
    assertEquals(
        0,
        a.management(MANAGEMENT)
            .listTimelines(ListTimelinesRequest.getDefaultInstance())
            .getTimelinesCount());
  }
}
