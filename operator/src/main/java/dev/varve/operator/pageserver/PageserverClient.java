package dev.varve.operator.pageserver;

import com.google.protobuf.ByteString;
import dev.varve.api.v1.AttachTimelineRequest;
import dev.varve.api.v1.DetachTimelineRequest;
import dev.varve.api.v1.GetStoredGenerationRequest;
import dev.varve.api.v1.ListTimelinesRequest;
import dev.varve.api.v1.ManagementServiceGrpc;
import dev.varve.api.v1.ManagementServiceGrpc.ManagementServiceBlockingStub;
import dev.varve.api.v1.PrimarySource;
import dev.varve.api.v1.TimelineState;
import dev.varve.api.v1.TimelineStatus;
import dev.varve.operator.plan.Report;
import dev.varve.operator.plan.SourceAccess;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.MetadataUtils;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Management calls to one pageserver. Blocking, any thread; each fails with a {@link
 * StatusRuntimeException} whose description says what was wrong.
 */
public final class PageserverClient implements AutoCloseable {
  private static final long LIST_SECONDS = 3;
  private static final long CHANGE_SECONDS = 30;
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

  /** Every timeline that is attached, by {@code tenant/timeline}. */
  public Map<String, Report> list() {
    Map<String, Report> reports = new HashMap<>();
    for (TimelineStatus status :
        stub.withDeadlineAfter(LIST_SECONDS, TimeUnit.SECONDS)
            .listTimelines(ListTimelinesRequest.getDefaultInstance())
            .getTimelinesList()) {
      reports.put(status.getTenant() + "/" + status.getTimeline(), report(status));
    }
    return reports;
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
        status.getLagBytes(),
        status.getLagSeconds(),
        status.getCopiedBytes(),
        status.getLayerBytes());
  }

  private static Report.State state(TimelineState state) {
    return switch (state) {
      case TIMELINE_STATE_LOADING, TIMELINE_STATE_UNSPECIFIED, UNRECOGNIZED -> Report.State.Loading;
      case TIMELINE_STATE_COPYING -> Report.State.Copying;
      case TIMELINE_STATE_CATCHING_UP -> Report.State.CatchingUp;
      // Readable as before.
      case TIMELINE_STATE_ACTIVE, TIMELINE_STATE_HANDED_OVER -> Report.State.Active;
      case TIMELINE_STATE_SOURCE_TROUBLE -> Report.State.SourceTrouble;
      case TIMELINE_STATE_BROKEN -> Report.State.Broken;
    };
  }

  /** The generation that attached the timeline last, wherever that was; 0 for none. */
  public int storedGeneration(String tenantId, String timeline) {
    return stub.withDeadlineAfter(CHANGE_SECONDS, TimeUnit.SECONDS)
        .getStoredGeneration(
            GetStoredGenerationRequest.newBuilder()
                .setTenant(tenantId)
                .setTimeline(timeline)
                .build())
        .getGeneration();
  }

  public void attach(
      String tenantId,
      String timeline,
      int generation,
      String token,
      @Nullable SourceAccess access) {
    AttachTimelineRequest.Builder request =
        AttachTimelineRequest.newBuilder()
            .setTenant(tenantId)
            .setTimeline(timeline)
            .setGeneration(generation)
            .setTokenSha256(ByteString.copyFrom(sha256(token)));
    if (access != null) {
      request.setPrimary(primary(access));
    }
    stub.withDeadlineAfter(CHANGE_SECONDS, TimeUnit.SECONDS).attachTimeline(request.build());
  }

  /**
   * @param access whose slot is dropped; null: none is
   * @param delete also removes the timeline's objects
   */
  public void detach(
      String tenantId, String timeline, @Nullable SourceAccess access, boolean delete) {
    DetachTimelineRequest.Builder request =
        DetachTimelineRequest.newBuilder()
            .setTenant(tenantId)
            .setTimeline(timeline)
            .setDropSlot(access != null)
            .setDeleteObjects(delete);
    if (access != null) {
      request.setPrimary(primary(access));
    }
    stub.withDeadlineAfter(CHANGE_SECONDS, TimeUnit.SECONDS).detachTimeline(request.build());
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
        .build();
  }

  private static byte[] sha256(String text) {
    try {
      return MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every JDK has SHA-256", e);
    }
  }

  @Override
  public void close() {
    channel.shutdownNow();
  }
}
