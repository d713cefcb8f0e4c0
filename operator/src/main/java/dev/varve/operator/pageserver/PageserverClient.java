package dev.varve.operator.pageserver;

import com.google.protobuf.ByteString;
import dev.varve.api.v1.AttachTimelineRequest;
import dev.varve.api.v1.DetachTimelineRequest;
import dev.varve.api.v1.GetStoredGenerationRequest;
import dev.varve.api.v1.HandOverTimelineRequest;
import dev.varve.api.v1.ListStoredTimelinesRequest;
import dev.varve.api.v1.ListTimelinesRequest;
import dev.varve.api.v1.ListTimelinesResponse;
import dev.varve.api.v1.ManagementServiceGrpc;
import dev.varve.api.v1.ManagementServiceGrpc.ManagementServiceBlockingStub;
import dev.varve.api.v1.PrimarySource;
import dev.varve.api.v1.RetainedWalAction;
import dev.varve.api.v1.SetReadTokensRequest;
import dev.varve.api.v1.SetReadTokensResponse;
import dev.varve.api.v1.StoredTimeline;
import dev.varve.api.v1.TimelineState;
import dev.varve.api.v1.TimelineStatus;
import dev.varve.crd.RetainedTimeline;
import dev.varve.operator.plan.Conditions;
import dev.varve.operator.plan.Measures;
import dev.varve.operator.plan.Reason;
import dev.varve.operator.plan.Report;
import dev.varve.operator.plan.ShardId;
import dev.varve.operator.plan.SourceAccess;
import dev.varve.operator.plan.SourceCost;
import dev.varve.operator.plan.SourceRoom;
import dev.varve.operator.plan.StoreFailure;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.MetadataUtils;
import java.net.InetSocketAddress;
import java.time.Instant;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Management calls to one pageserver. Blocking, any thread; each fails with a {@link
 * StatusRuntimeException} whose description says what was wrong.
 */
public final class PageserverClient implements AutoCloseable {
  private static final long LIST_SECONDS = 3;
  private static final long CHANGE_SECONDS = 30;
  private static final long HAND_OVER_SECONDS = 10;
  private static final long STORE_SECONDS = 10;

  /** A status of Kubernetes has no room for any number. */
  private static final int MAX_RETAINED = 100;

  private static final int MAX_MESSAGE_BYTES = 64 << 20;

  private final ManagedChannel channel;
  private final ManagementServiceBlockingStub stub;

  public PageserverClient(InetSocketAddress address, String managementToken) {
    channel =
        NettyChannelBuilder.forAddress(address)
            .usePlaintext()
            .maxInboundMessageSize(MAX_MESSAGE_BYTES)
            .build();
    Metadata headers = new Metadata();
    headers.put(
        Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER),
        "Bearer " + managementToken);
    stub =
        ManagementServiceGrpc.newBlockingStub(channel)
            .withInterceptors(MetadataUtils.newAttachHeadersInterceptor(headers));
  }

  /**
   * What a pageserver says of itself.
   *
   * @param reports everything that is attached, by {@link ShardId#toString}
   * @param store what any timeline would meet at the object store; null: nothing that is known
   */
  public record Listing(Map<String, Report> reports, @Nullable StoreFailure store) {}

  public Listing list() {
    Map<String, Report> reports = new HashMap<>();
    ListTimelinesResponse answer =
        stub.withDeadlineAfter(LIST_SECONDS, TimeUnit.SECONDS)
            .listTimelines(ListTimelinesRequest.getDefaultInstance());
    for (TimelineStatus status : answer.getTimelinesList()) {
      reports.put(
          ShardId.text(
              status.getTenant(), status.getTimeline(), status.getTimelineId(), status.getShard()),
          report(status));
    }
    return new Listing(
        reports, answer.hasStoreFailure() ? failure(answer.getStoreFailure()) : null);
  }

  private static StoreFailure failure(dev.varve.api.v1.StoreFailure failure) {
    return new StoreFailure(
        switch (failure.getKind()) {
          case STORE_FAILURE_KIND_THROTTLED -> Reason.StoreThrottled;
          case STORE_FAILURE_KIND_REFUSED -> Reason.StoreRefused;
          case STORE_FAILURE_KIND_OBJECTS_MISSING -> Reason.ObjectsMissing;
          case STORE_FAILURE_KIND_UNREACHABLE, STORE_FAILURE_KIND_UNSPECIFIED, UNRECOGNIZED ->
              Reason.StoreUnreachable;
        },
        failure.getText());
  }

  private static Report report(TimelineStatus status) {
    return new Report(
        status.getGeneration(),
        state(status.getState()),
        status.getProblem(),
        status.getSystemIdentifier(),
        status.getPostgresMajor(),
        status.getReadableFromLsn(),
        status.getReceivedLsn(),
        status.getPublishedLsn(),
        status.hasLagBytes() ? Long.valueOf(status.getLagBytes()) : null,
        status.hasLagSeconds() ? Double.valueOf(status.getLagSeconds()) : null,
        status.getCopiedBytes(),
        status.getLayerBytes(),
        new SourceCost(
            status.getRetainedWalBytes(),
            status.getRetainedWalSeconds(),
            status.getPrimaryKeepsAtMostBytes(),
            status.getNamedSynchronous()),
        status.hasFullSource()
            ? new SourceRoom(
                status.getFullSource().getMaxReplicationSlots(),
                status.getFullSource().getMaxWalSenders())
            : null,
        status.getTokenSha256List().stream()
            .map(hash -> HexFormat.of().formatHex(hash.toByteArray()))
            .toList(),
        status.hasStoreFailure() ? failure(status.getStoreFailure()) : null);
  }

  private static Report.State state(TimelineState state) {
    return switch (state) {
      case TIMELINE_STATE_LOADING, TIMELINE_STATE_UNSPECIFIED, UNRECOGNIZED -> Report.State.Loading;
      case TIMELINE_STATE_COPYING -> Report.State.Copying;
      case TIMELINE_STATE_CATCHING_UP -> Report.State.CatchingUp;
      case TIMELINE_STATE_ACTIVE -> Report.State.Active;
      case TIMELINE_STATE_SOURCE_FAILING, TIMELINE_STATE_SOURCE_GIVEN_UP ->
          Report.State.SourceFailing;
      case TIMELINE_STATE_HANDED_OVER -> Report.State.HandedOver;
      case TIMELINE_STATE_BROKEN -> Report.State.Broken;
    };
  }

  /** The generation that attached the shard last, wherever that was; 0 for none. */
  public int storedGeneration(ShardId id) {
    return stub.withDeadlineAfter(CHANGE_SECONDS, TimeUnit.SECONDS)
        .getStoredGeneration(
            GetStoredGenerationRequest.newBuilder()
                .setTenant(id.tenantId())
                .setTimeline(id.timeline())
                .setTimelineId(id.id())
                .setShard(id.shard())
                .build())
        .getGeneration();
  }

  /** Publishes everything and receives no more; reads are served until the shard is detached. */
  public void handOver(ShardId id) {
    stub.withDeadlineAfter(HAND_OVER_SECONDS, TimeUnit.SECONDS)
        .handOverTimeline(
            HandOverTimelineRequest.newBuilder()
                .setTenant(id.tenantId())
                .setTimeline(id.timeline())
                .setTimelineId(id.id())
                .setShard(id.shard())
                .build());
  }

  /**
   * @param tokens SHA-256 of those that read it, in hexadecimal digits, the newest first
   * @param stored whether the object store has to hold its data still
   * @param adopts whether the object store has to hold it already
   */
  public void attach(
      ShardId id,
      int generation,
      List<String> tokens,
      @Nullable SourceAccess access,
      boolean stored,
      boolean adopts) {
    AttachTimelineRequest.Builder request =
        AttachTimelineRequest.newBuilder()
            .setTenant(id.tenantId())
            .setTimeline(id.timeline())
            .setTimelineId(id.id())
            .setAdopt(adopts)
            .setShard(id.shard())
            .setGeneration(generation)
            .setTokenSha256(hash(tokens, 0))
            .setPreviousTokenSha256(hash(tokens, 1))
            .setStored(stored);
    if (access != null) {
      request.setPrimary(primary(access));
    }
    stub.withDeadlineAfter(CHANGE_SECONDS, TimeUnit.SECONDS).attachTimeline(request.build());
  }

  /** Empty where there are not so many. */
  private static ByteString hash(List<String> tokens, int index) {
    return index < tokens.size()
        ? ByteString.copyFrom(HexFormat.of().parseHex(tokens.get(index)))
        : ByteString.EMPTY;
  }

  /**
   * Sets what readers of a shard that is attached must show.
   *
   * @param tokens as for {@link #attach}
   */
  public void setReadTokens(ShardId id, List<String> tokens) {
    SetReadTokensResponse _ =
        stub.withDeadlineAfter(CHANGE_SECONDS, TimeUnit.SECONDS)
            .setReadTokens(
                SetReadTokensRequest.newBuilder()
                    .setTenant(id.tenantId())
                    .setTimeline(id.timeline())
                    .setTimelineId(id.id())
                    .setShard(id.shard())
                    .setTokenSha256(hash(tokens, 0))
                    .setPreviousTokenSha256(hash(tokens, 1))
                    .build());
  }

  /** Stops serving the shard here. */
  public void detach(ShardId id) {
    detach(request(id).build());
  }

  /** Ends the shard: removes its objects, or writes down that they are retained. */
  public void end(ShardId id, @Nullable SourceAccess access, boolean delete) {
    DetachTimelineRequest.Builder request =
        request(id).setDropSlot(access != null).setDeleteObjects(delete).setRetain(!delete);
    if (access != null) {
      request.setPrimary(primary(access));
    }
    detach(request.build());
  }

  private void detach(DetachTimelineRequest request) {
    var _ = stub.withDeadlineAfter(CHANGE_SECONDS, TimeUnit.SECONDS).detachTimeline(request);
  }

  private static DetachTimelineRequest.Builder request(ShardId id) {
    return DetachTimelineRequest.newBuilder()
        .setTenant(id.tenantId())
        .setTimeline(id.timeline())
        .setTimelineId(id.id())
        .setShard(id.shard());
  }

  /**
   * The timelines of a tenant that the object store holds, the latest to be deleted first.
   *
   * @param but the ids of others
   */
  public List<RetainedTimeline> retained(String tenantId, Set<String> but) {
    return stub
        .withDeadlineAfter(STORE_SECONDS, TimeUnit.SECONDS)
        .listStoredTimelines(
            ListStoredTimelinesRequest.newBuilder()
                .setTenant(tenantId)
                .addAllExceptTimelineIds(but)
                .build())
        .getTimelinesList()
        .stream()
        .filter(one -> !one.getDeleted())
        .sorted(
            Comparator.comparingLong(StoredTimeline::getRetainedSinceSeconds)
                .reversed()
                .thenComparing(StoredTimeline::getTimelineId))
        .limit(MAX_RETAINED)
        .map(PageserverClient::retained)
        .toList();
  }

  private static RetainedTimeline retained(StoredTimeline one) {
    long since = one.getRetainedSinceSeconds();
    return new RetainedTimeline(
        one.getTimelineId(),
        one.getTimeline(),
        since == 0 ? null : Conditions.text(Instant.ofEpochSecond(since)),
        Measures.lsn(one.getPublishedLsn()),
        one.getSystemIdentifier() == 0 ? null : Long.toUnsignedString(one.getSystemIdentifier()),
        one.getLayerBytes());
  }

  private static PrimarySource primary(SourceAccess access) {
    return PrimarySource.newBuilder()
        .setHost(access.host())
        .setPort(access.port())
        .setUser(access.user())
        .setPassword(access.password())
        .setDatabase(access.database())
        .setSslMode(access.sslMode().text())
        .setSlot(access.slot())
        .setSynchronous(access.synchronous())
        .setMaxRetainedWalBytes(access.maxRetainedWalBytes())
        .setRetainedWalAction(
            access.dropsSlot()
                ? RetainedWalAction.RETAINED_WAL_ACTION_DROP_SLOT
                : RetainedWalAction.RETAINED_WAL_ACTION_RETAIN)
        .build();
  }

  /** Why a call failed, in one line: as the pageserver says, or as the connection to it broke. */
  public static String text(StatusRuntimeException e) {
    Status status = e.getStatus();
    if (status.getCode() == Status.Code.DEADLINE_EXCEEDED) {
      // gRPC's own words have times in them that differ from call to call.
      return "no answer in time";
    }
    String description = status.getDescription();
    String said = description == null ? status.getCode().name() : description;
    Throwable cause = status.getCause();
    String text =
        cause == null || cause.getMessage() == null ? said : said + ": " + cause.getMessage();
    return text.strip().replaceAll("\\s*\\R\\s*", " ");
  }

  @Override
  public void close() {
    channel.shutdownNow();
  }
}
