package dev.varve.server.grpc;

import com.google.protobuf.ByteString;
import dev.varve.api.v1.AttachTimelineRequest;
import dev.varve.api.v1.AttachTimelineResponse;
import dev.varve.api.v1.DetachTimelineRequest;
import dev.varve.api.v1.DetachTimelineResponse;
import dev.varve.api.v1.GetStoredGenerationRequest;
import dev.varve.api.v1.GetStoredGenerationResponse;
import dev.varve.api.v1.GetTimelineRequest;
import dev.varve.api.v1.HandOverTimelineRequest;
import dev.varve.api.v1.HandOverTimelineResponse;
import dev.varve.api.v1.ListStoredTimelinesRequest;
import dev.varve.api.v1.ListStoredTimelinesResponse;
import dev.varve.api.v1.ListTimelinesRequest;
import dev.varve.api.v1.ListTimelinesResponse;
import dev.varve.api.v1.ManagementServiceGrpc;
import dev.varve.api.v1.SetReadTokensRequest;
import dev.varve.api.v1.SetReadTokensResponse;
import dev.varve.api.v1.StoreFailureKind;
import dev.varve.api.v1.StoredTimeline;
import dev.varve.api.v1.TimelineState;
import dev.varve.api.v1.TimelineStatus;
import dev.varve.engine.store.StoreFailure;
import dev.varve.engine.tenant.TimelineId;
import dev.varve.engine.tenant.TimelineName;
import dev.varve.server.attachment.Attachment;
import dev.varve.server.attachment.AttachmentState;
import dev.varve.server.attachment.Attachments;
import dev.varve.server.attachment.ReadTokens;
import dev.varve.server.attachment.TimelineReport;
import dev.varve.server.attachment.Token;
import dev.varve.server.source.SourceRoom;
import io.grpc.stub.StreamObserver;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Attach, detach, status: each on a virtual thread, since all of them may talk to the object store
 * or the primary.
 */
final class ManagementService extends ManagementServiceGrpc.ManagementServiceImplBase {
  private final Attachments attachments;
  private final BlockingReads blocking;
  private final @Nullable Token token;

  /**
   * @param token what a caller must show; null: nothing
   */
  ManagementService(Attachments attachments, BlockingReads blocking, @Nullable String token) {
    this.attachments = attachments;
    this.blocking = blocking;
    this.token = token == null ? null : Token.of(token);
  }

  @Override
  public void attachTimeline(
      AttachTimelineRequest request, StreamObserver<AttachTimelineResponse> answers) {
    answer(
        answers,
        () -> {
          TimelineName id =
              Requests.timeline(request.getTenant(), request.getTimeline(), request.getShard());
          int generation =
              attachments.attach(
                  id,
                  Requests.target(request),
                  Requests.source(id, request),
                  Requests.tenure(request));
          return AttachTimelineResponse.newBuilder().setGeneration(generation).build();
        });
  }

  @Override
  public void detachTimeline(
      DetachTimelineRequest request, StreamObserver<DetachTimelineResponse> answers) {
    answer(
        answers,
        () -> {
          TimelineName id =
              Requests.timeline(request.getTenant(), request.getTimeline(), request.getShard());
          TimelineId uid = Requests.uid(request.getTimelineId());
          boolean dropsSlot = request.getDropSlot();
          if (request.getDeleteObjects()) {
            attachments.delete(id, uid, dropsSlot, Requests.source(id, request));
          } else if (request.getRetain()) {
            attachments.retain(id, uid, dropsSlot, Requests.source(id, request));
          } else {
            attachments.detach(id, uid, dropsSlot, Requests.source(id, request));
          }
          return DetachTimelineResponse.getDefaultInstance();
        });
  }

  @Override
  public void handOverTimeline(
      HandOverTimelineRequest request, StreamObserver<HandOverTimelineResponse> answers) {
    answer(
        answers,
        () -> {
          TimelineName id =
              Requests.timeline(request.getTenant(), request.getTimeline(), request.getShard());
          return HandOverTimelineResponse.newBuilder()
              .setPublishedLsn(attachments.handOver(id, Requests.uid(request.getTimelineId())))
              .build();
        });
  }

  @Override
  public void setReadTokens(
      SetReadTokensRequest request, StreamObserver<SetReadTokensResponse> answers) {
    answer(
        answers,
        () -> {
          TimelineName id =
              Requests.timeline(request.getTenant(), request.getTimeline(), request.getShard());
          attachments.setTokens(
              id,
              Requests.uid(request.getTimelineId()),
              ReadTokens.ofHashes(
                  request.getTokenSha256().toByteArray(),
                  request.getPreviousTokenSha256().toByteArray()));
          return SetReadTokensResponse.getDefaultInstance();
        });
  }

  @Override
  public void getTimeline(GetTimelineRequest request, StreamObserver<TimelineStatus> answers) {
    answer(
        answers,
        () -> {
          TimelineName id =
              Requests.timeline(request.getTenant(), request.getTimeline(), request.getShard());
          return status(attachments.get(id));
        });
  }

  @Override
  public void listTimelines(
      ListTimelinesRequest request, StreamObserver<ListTimelinesResponse> answers) {
    answer(
        answers,
        () -> {
          ListTimelinesResponse.Builder all = ListTimelinesResponse.newBuilder();
          for (Attachment attachment : attachments.list()) {
            all.addTimelines(status(attachment));
          }
          StoreFailure failure = attachments.storeFailure();
          if (failure != null) {
            all.setStoreFailure(failure(failure));
          }
          return all.build();
        });
  }

  @Override
  public void getStoredGeneration(
      GetStoredGenerationRequest request, StreamObserver<GetStoredGenerationResponse> answers) {
    answer(
        answers,
        () -> {
          TimelineName id =
              Requests.timeline(request.getTenant(), request.getTimeline(), request.getShard());
          return GetStoredGenerationResponse.newBuilder()
              .setGeneration(
                  attachments.storedGeneration(id, Requests.uid(request.getTimelineId())))
              .build();
        });
  }

  @Override
  public void listStoredTimelines(
      ListStoredTimelinesRequest request, StreamObserver<ListStoredTimelinesResponse> answers) {
    answer(
        answers,
        () -> {
          ListStoredTimelinesResponse.Builder all = ListStoredTimelinesResponse.newBuilder();
          attachments
              .stored(
                  Requests.tenant(request.getTenant()),
                  request.getExceptTimelineIdsList().stream()
                      .map(TimelineId::new)
                      .collect(Collectors.toSet()))
              .forEach(one -> all.addTimelines(stored(one)));
          return all.build();
        });
  }

  private static StoredTimeline stored(dev.varve.engine.tenant.StoredTimeline one) {
    return StoredTimeline.newBuilder()
        .setTimelineId(one.uid().text())
        .setTimeline(one.name())
        .setDeleted(one.isDeleted())
        .setRetainedSinceSeconds(one.retainedSinceSeconds())
        .setShardCount(one.shards())
        .setStripeBlocks(one.stripeBlocks())
        .setSystemIdentifier(one.systemIdentifier())
        .setPostgresMajor(one.postgresMajor())
        .setPublishedLsn(one.publishedLsn())
        .setLayerBytes(one.layerBytes())
        .build();
  }

  private <T> void answer(StreamObserver<T> answers, Supplier<T> work) {
    Token shown = Bearer.shown();
    Answers.guarded(
            answers,
            () -> {
              Bearer.require(token, shown);
              blocking.executeLong(
                  Answers.guarded(
                      answers,
                      () -> {
                        answers.onNext(work.get());
                        answers.onCompleted();
                      }));
            })
        .run();
  }

  private static TimelineStatus status(Attachment attachment) {
    TimelineReport report = attachment.report();
    TimelineStatus.Builder status =
        TimelineStatus.newBuilder()
            .setTenant(report.id().tenant())
            .setTimeline(report.id().timeline())
            .setTimelineId(report.uid().text())
            .setShard(report.id().shard().coversAll() ? "" : report.id().shard().toString())
            .setGeneration(report.generation())
            .setState(state(report.state()))
            .setProblem(report.problem())
            .setSystemIdentifier(report.systemIdentifier())
            .setPostgresMajor(report.postgresMajor())
            .setReadableFromLsn(report.readableFromLsn())
            .setReceivedLsn(report.receivedLsn())
            .setPublishedLsn(report.publishedLsn())
            .setPrimaryLsn(report.primaryLsn())
            .setCopiedBytes(report.copiedBytes())
            .setLayerCount(report.layerCount())
            .setLayerBytes(report.layerBytes())
            .setRetainedWalBytes(report.cost().retainedBytes())
            .setRetainedWalSeconds(report.cost().retainedSeconds())
            .setPrimaryKeepsAtMostBytes(report.cost().primaryKeepsAtMostBytes())
            .setNamedSynchronous(report.cost().namedSynchronous())
            .addAllTokenSha256(
                attachment.tokens().accepted().stream()
                    .map(accepted -> ByteString.copyFrom(accepted.hash()))
                    .toList());
    SourceRoom full = report.fullSource();
    if (full != null) {
      status
          .getFullSourceBuilder()
          .setMaxReplicationSlots(full.replicationSlots())
          .setMaxWalSenders(full.walSenders());
    }
    Long lagBytes = report.lagBytes();
    if (lagBytes != null) {
      status.setLagBytes(lagBytes);
    }
    Double lagSeconds = report.lagSeconds();
    if (lagSeconds != null) {
      status.setLagSeconds(lagSeconds);
    }
    StoreFailure failure = report.storeFailure();
    if (failure != null) {
      status.setStoreFailure(failure(failure));
    }
    return status.build();
  }

  private static dev.varve.api.v1.StoreFailure failure(StoreFailure failure) {
    return dev.varve.api.v1.StoreFailure.newBuilder()
        .setKind(
            switch (failure.kind()) {
              case UNREACHABLE -> StoreFailureKind.STORE_FAILURE_KIND_UNREACHABLE;
              case THROTTLED -> StoreFailureKind.STORE_FAILURE_KIND_THROTTLED;
              case REFUSED -> StoreFailureKind.STORE_FAILURE_KIND_REFUSED;
              case OBJECTS_MISSING -> StoreFailureKind.STORE_FAILURE_KIND_OBJECTS_MISSING;
            })
        .setSinceSeconds(failure.since().getEpochSecond())
        .setText(failure.text())
        .build();
  }

  private static TimelineState state(AttachmentState state) {
    return switch (state) {
      case LOADING -> TimelineState.TIMELINE_STATE_LOADING;
      case COPYING -> TimelineState.TIMELINE_STATE_COPYING;
      case CATCHING_UP -> TimelineState.TIMELINE_STATE_CATCHING_UP;
      case ACTIVE -> TimelineState.TIMELINE_STATE_ACTIVE;
      case SOURCE_FAILING -> TimelineState.TIMELINE_STATE_SOURCE_FAILING;
      case SOURCE_GIVEN_UP -> TimelineState.TIMELINE_STATE_SOURCE_GIVEN_UP;
      case BROKEN -> TimelineState.TIMELINE_STATE_BROKEN;
      case HANDED_OVER -> TimelineState.TIMELINE_STATE_HANDED_OVER;
    };
  }
}
