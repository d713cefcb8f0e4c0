package dev.varve.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.ByteString;
import dev.varve.api.v1.AttachTimelineRequest;
import dev.varve.api.v1.DetachTimelineRequest;
import dev.varve.api.v1.GetPagesRequest;
import dev.varve.api.v1.GetPagesResponse;
import dev.varve.api.v1.GetRelationSizeRequest;
import dev.varve.api.v1.GetRelationSizeResponse;
import dev.varve.api.v1.GetStoredGenerationRequest;
import dev.varve.api.v1.GetThinImageRequest;
import dev.varve.api.v1.GetTimelineRequest;
import dev.varve.api.v1.HandOverTimelineRequest;
import dev.varve.api.v1.ListRelationsRequest;
import dev.varve.api.v1.ListRelationsResponse;
import dev.varve.api.v1.ManagementServiceGrpc;
import dev.varve.api.v1.PageServiceGrpc;
import dev.varve.api.v1.PrimarySource;
import dev.varve.api.v1.RelationFork;
import dev.varve.api.v1.RetainedWalAction;
import dev.varve.api.v1.SetReadTokensRequest;
import dev.varve.api.v1.SetReadTokensResponse;
import dev.varve.api.v1.TimelineState;
import dev.varve.engine.EngineOptions;
import dev.varve.engine.postgres.Lsn;
import dev.varve.engine.store.FaultyObjectStore;
import dev.varve.engine.store.MemoryObjectStore;
import dev.varve.testkit.PostgresServer;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.StreamObserver;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

/**
 * Requests that make no sense, and an object store that is away: each call of the contract is
 * answered with a status that says whose turn it is, in words, and never as an error of the
 * pageserver itself. And requests that have to wait, beside those that need not.
 */
final class GrpcRefusalsIT {
  private static final Set<Status.Code> OWN_ERRORS =
      EnumSet.of(Status.Code.UNKNOWN, Status.Code.INTERNAL, Status.Code.OK);

  private static final String ID = TestPageserver.TENANT + "/main";

  private static final List<String> NAMES =
      List.of(
          "",
          "/",
          "main",
          "a//b",
          "test/main/",
          "test/main/x",
          "test/main/0-of-0-by-0",
          "test/main/2-of-2-by-2048",
          "test/main/0-of-2-by-3",
          "test/main/0-of-99999999999-by-1",
          "../etc/passwd",
          "TEST/main",
          "test/" + "m".repeat(64),
          "test/ma\nin",
          "test/none");

  @TempDir Path directory;
  private final FaultyObjectStore store = new FaultyObjectStore(new MemoryObjectStore(), 1, 0);

  private static void assertRefused(String what, Executable call) {
    StatusRuntimeException e = assertThrows(StatusRuntimeException.class, call, what);
    assertWords(what, e.getStatus().getCode(), e.getStatus().getDescription());
  }

  private static void assertWords(String what, Status.Code code, String description) {
    assertTrue(!OWN_ERRORS.contains(code), what + ": " + code + " " + description);
    assertTrue(
        description != null && description.strip().contains(" "), what + " has no words: " + code);
  }

  @Test
  void areAnsweredInWords() throws Exception {
    try (PostgresServer primary = PostgresServer.builder(17).start()) {
      long lsn = refusals(primary);
      try (TestPageserver restarted =
          TestPageserver.start(directory, store, EngineOptions.defaults())) {
        assertClosed(restarted, lsn);
        restarted.await("main", "loaded", s -> s.getState() == TimelineState.TIMELINE_STATE_ACTIVE);
        restarted.attach("main", TestPageserver.primary(primary.port()));
        assertClosed(restarted, lsn);
        restarted.detach("main", true);
      }
    }
  }

  /** Returns an LSN that is there, and leaves a timeline that is read with a token. */
  private long refusals(PostgresServer primary) throws Exception {
    int port = primary.port();
    try (TestPageserver pageserver =
        TestPageserver.start(directory, store, EngineOptions.defaults())) {
      pageserver.attach("main", TestPageserver.primary(port));
      pageserver.await(
          "main",
          "active",
          s -> s.getState() == TimelineState.TIMELINE_STATE_ACTIVE && s.getReadableFromLsn() != 0);
      long lsn = pageserver.status("main").getReceivedLsn();
      assertManagementRefuses(pageserver, port);
      assertReadsRefuse(pageserver, lsn);
      assertWaitsLeaveRoom(pageserver, primary, lsn);
      store.setDown(true);
      var management = ManagementServiceGrpc.newBlockingStub(pageserver.channel());
      assertRefused(
          "attach without a store",
          () ->
              management.attachTimeline(
                  attach("other").setPrimary(TestPageserver.primary(port)).build()));
      assertRefused(
          "generation without a store",
          () ->
              management.getStoredGeneration(
                  GetStoredGenerationRequest.newBuilder()
                      .setTenant("test")
                      .setTimeline("other")
                      .build()));
      store.setDown(false);
      SetReadTokensResponse _ =
          management.setReadTokens(
              SetReadTokensRequest.newBuilder()
                  .setTenant(TestPageserver.TENANT)
                  .setTimeline("main")
                  .setTokenSha256(ByteString.copyFrom(new byte[32]))
                  .build());
      assertClosed(pageserver, lsn);
      return lsn;
    }
  }

  /** A timeline with a token has no reader without. */
  private static void assertClosed(TestPageserver pageserver, long lsn) {
    var reads = PageServiceGrpc.newBlockingStub(pageserver.channel());
    List<Executable> calls =
        List.of(
            () ->
                reads
                    .getThinImage(GetThinImageRequest.newBuilder().setTimeline(ID).build())
                    .hasNext(),
            () ->
                reads.listRelations(
                    ListRelationsRequest.newBuilder().setTimeline(ID).setLsn(lsn).build()),
            () ->
                reads.getRelationSize(
                    GetRelationSizeRequest.newBuilder().setTimeline(ID).setLsn(lsn).build()));
    for (Executable call : calls) {
      assertEquals(
          Status.Code.UNAUTHENTICATED,
          assertThrows(StatusRuntimeException.class, call).getStatus().getCode());
    }
  }

  private static AttachTimelineRequest.Builder attach(String timeline) {
    return AttachTimelineRequest.newBuilder()
        .setTenant(TestPageserver.TENANT)
        .setTimeline(timeline);
  }

  private static void assertManagementRefuses(TestPageserver pageserver, int port) {
    var management = ManagementServiceGrpc.newBlockingStub(pageserver.channel());
    for (String name : NAMES) {
      String[] parts = (name + "//").split("/", -1);
      String tenant = parts[0];
      String timeline = parts[1];
      String shard = parts[2];
      assertRefused(
          "attach " + name,
          () ->
              management.attachTimeline(
                  AttachTimelineRequest.newBuilder()
                      .setTenant(tenant)
                      .setTimeline(timeline + (shard.isEmpty() ? "-none" : ""))
                      .setShard(shard)
                      .build()));
      if (!name.equals("test/main/")) {
        assertRefused(
            "get " + name,
            () ->
                management.getTimeline(
                    GetTimelineRequest.newBuilder()
                        .setTenant(tenant)
                        .setTimeline(timeline)
                        .setShard(shard)
                        .build()));
        assertRefused(
            "detach " + name,
            () ->
                management.detachTimeline(
                    DetachTimelineRequest.newBuilder()
                        .setTenant(tenant)
                        .setTimeline(timeline)
                        .setShard(shard)
                        .build()));
        assertRefused(
            "hand over " + name,
            () ->
                management.handOverTimeline(
                    HandOverTimelineRequest.newBuilder()
                        .setTenant(tenant)
                        .setTimeline(timeline)
                        .setShard(shard)
                        .build()));
      }
    }
    PrimarySource.Builder primary = TestPageserver.primary(port);
    for (AttachTimelineRequest.Builder request :
        List.of(
            attach("x").setPrimary(primary.clone().setPort(-1)),
            attach("x").setPrimary(primary.clone().setHost(" ")),
            attach("x").setPrimary(primary.clone().setHost("no host")),
            attach("x").setPrimary(primary.clone().setUser("a\0b")),
            attach("x").setPrimary(primary.clone().setDatabase("\0")),
            attach("x").setPrimary(primary.clone().setPassword("a\0b")),
            attach("x").setPrimary(primary.clone().setSslMode("always")),
            attach("x").setPrimary(primary.clone().setSlot("A")),
            attach("x").setPrimary(primary.clone().setMaxRetainedWalBytes(-1)),
            attach("x").setPrimary(primary.clone().setRetainedWalActionValue(7)),
            attach("x")
                .setPrimary(
                    primary
                        .clone()
                        .setRetainedWalAction(RetainedWalAction.RETAINED_WAL_ACTION_DROP_SLOT)),
            attach("x").setPrimary(primary).setGeneration(-1),
            attach("x").setPrimary(primary).setTokenSha256(ByteString.copyFromUtf8("abc")))) {
      assertRefused(request.toString(), () -> management.attachTimeline(request.build()));
    }
  }

  private static void assertReadsRefuse(TestPageserver pageserver, long lsn) throws Exception {
    var reads = PageServiceGrpc.newBlockingStub(pageserver.channel());
    RelationFork.Builder relation =
        RelationFork.newBuilder().setTablespaceOid(1664).setRelationNumber(1262);
    for (String name : NAMES) {
      if (!name.equals("test/main/")) {
        assertRefused(
            "image " + name,
            () ->
                reads
                    .getThinImage(GetThinImageRequest.newBuilder().setTimeline(name).build())
                    .hasNext());
        assertRefused(
            "list " + name,
            () ->
                reads.listRelations(
                    ListRelationsRequest.newBuilder().setTimeline(name).setLsn(lsn).build()));
      }
      assertPageRefused(pageserver, page(name, lsn, relation).setBlockCount(1).build());
    }
    assertRefused(
        "image before the backup",
        () ->
            reads
                .getThinImage(GetThinImageRequest.newBuilder().setTimeline(ID).setLsn(8).build())
                .hasNext());
    assertRefused(
        "size before the backup",
        () ->
            reads.getRelationSize(
                GetRelationSizeRequest.newBuilder()
                    .setTimeline(ID)
                    .setLsn(8)
                    .setRelation(relation)
                    .build()));
    for (int fork : new int[] {4, -1, Integer.MAX_VALUE}) {
      assertRefused(
          "size of fork " + fork,
          () ->
              reads.getRelationSize(
                  GetRelationSizeRequest.newBuilder()
                      .setTimeline(ID)
                      .setLsn(lsn)
                      .setRelation(relation.clone().setFork(fork))
                      .build()));
      assertPageRefused(
          pageserver, page(ID, lsn, relation.clone().setFork(fork)).setBlockCount(1).build());
    }
    for (int count : new int[] {0, -1, 513, Integer.MAX_VALUE}) {
      assertPageRefused(pageserver, page(ID, lsn, relation).setBlockCount(count).build());
    }
    for (int first : new int[] {1 << 30, -1, Integer.MIN_VALUE}) {
      assertPageRefused(
          pageserver, page(ID, lsn, relation).setFirstBlock(first).setBlockCount(2).build());
    }
    assertPageRefused(
        pageserver, page(ID, lsn, relation.clone().setRelationNumber(-1)).setBlockCount(1).build());
  }

  private static GetPagesRequest.Builder page(
      String timeline, long lsn, RelationFork.Builder relation) {
    return GetPagesRequest.newBuilder().setTimeline(timeline).setLsn(lsn).setRelation(relation);
  }

  /**
   * A read whose WAL has yet to come takes nothing from those whose WAL is there: many of each kind
   * wait, one of each kind is answered, and then the WAL comes.
   */
  private static void assertWaitsLeaveRoom(
      TestPageserver pageserver, PostgresServer primary, long lsn) throws Exception {
    RelationFork.Builder databases =
        RelationFork.newBuilder().setTablespaceOid(1664).setRelationNumber(1262);
    long ahead = Lsn.parse(primary.currentLsn()) + (1 << 20);
    List<Read<?>> waiting = new ArrayList<>();
    for (int i = 0; i < 16; i++) {
      waiting.addAll(reads(pageserver, ahead, databases));
    }
    for (Read<?> read : reads(pageserver, lsn, databases)) {
      assertEquals(Status.Code.OK, read.code(), "while others wait");
    }
    assertTrue(waiting.stream().noneMatch(Read::isAnswered), "WAL has come before it was written");
    primary.execute(
        "postgres",
        "select count(pg_logical_emit_message(false, 'wal', repeat('x', 1 << 16)))"
            + " from generate_series(1, 20)",
        "checkpoint");
    for (Read<?> read : waiting) {
      assertEquals(Status.Code.OK, read.code(), "once the WAL is there");
    }
  }

  /** The first answer of a call. */
  private static final class Read<T> implements StreamObserver<T> {
    private final CompletableFuture<Status.Code> code = new CompletableFuture<>();

    boolean isAnswered() {
      return code.isDone();
    }

    Status.Code code() throws Exception {
      return code.get(20, TimeUnit.SECONDS);
    }

    @Override
    public void onNext(T answer) {
      code.complete(
          answer instanceof GetPagesResponse pages
              ? Status.fromCodeValue(pages.getStatusCode()).getCode()
              : Status.Code.OK);
    }

    @Override
    public void onError(Throwable t) {
      code.complete(Status.fromThrowable(t).getCode());
    }

    @Override
    public void onCompleted() {}
  }

  /** Begins a read of each kind: the size of a relation, its list, a page, a page of an SLRU. */
  private static List<Read<?>> reads(
      TestPageserver pageserver, long lsn, RelationFork.Builder relation) {
    PageServiceGrpc.PageServiceStub calls = PageServiceGrpc.newStub(pageserver.channel());
    Read<GetRelationSizeResponse> size = new Read<>();
    calls.getRelationSize(
        GetRelationSizeRequest.newBuilder()
            .setTimeline(ID)
            .setLsn(lsn)
            .setRelation(relation)
            .build(),
        size);
    Read<ListRelationsResponse> list = new Read<>();
    calls.listRelations(
        ListRelationsRequest.newBuilder()
            .setTimeline(ID)
            .setLsn(lsn)
            .setTablespaceOid(relation.getTablespaceOid())
            .build(),
        list);
    Read<GetPagesResponse> page = new Read<>();
    Read<GetPagesResponse> slruPage = new Read<>();
    ask(calls.getPages(page), page(ID, lsn, relation));
    ask(calls.getPages(slruPage), page(ID, lsn, RelationFork.newBuilder().setRelationNumber(1)));
    return List.of(size, list, page, slruPage);
  }

  private static void ask(
      StreamObserver<GetPagesRequest> requests, GetPagesRequest.Builder request) {
    requests.onNext(request.setBlockCount(1).build());
    requests.onCompleted();
  }

  /** An error of one page is an answer like any other, and the stream goes on. */
  private static void assertPageRefused(TestPageserver pageserver, GetPagesRequest request)
      throws Exception {
    CompletableFuture<GetPagesResponse> answer = new CompletableFuture<>();
    CompletableFuture<Boolean> ended = new CompletableFuture<>();
    StreamObserver<GetPagesRequest> requests =
        PageServiceGrpc.newStub(pageserver.channel())
            .getPages(
                new StreamObserver<>() {
                  @Override
                  public void onNext(GetPagesResponse response) {
                    answer.complete(response);
                  }

                  @Override
                  public void onError(Throwable t) {
                    answer.completeExceptionally(t);
                    ended.completeExceptionally(t);
                  }

                  @Override
                  public void onCompleted() {
                    ended.complete(true);
                  }
                });
    requests.onNext(request);
    GetPagesResponse response = answer.get(30, TimeUnit.SECONDS);
    assertWords(
        request.toString(),
        Status.fromCodeValue(response.getStatusCode()).getCode(),
        response.getStatusMessage());
    requests.onCompleted();
    assertEquals(true, ended.get(30, TimeUnit.SECONDS));
  }
}
