package dev.varve.server.grpc;

import dev.varve.api.v1.DatabaseDirectory;
import dev.varve.api.v1.GetPagesRequest;
import dev.varve.api.v1.GetPagesResponse;
import dev.varve.api.v1.GetRelationSizeRequest;
import dev.varve.api.v1.GetRelationSizeResponse;
import dev.varve.api.v1.GetThinImageRequest;
import dev.varve.api.v1.GetThinImageResponse;
import dev.varve.api.v1.ListRelationsRequest;
import dev.varve.api.v1.ListRelationsResponse;
import dev.varve.api.v1.PageServiceGrpc;
import dev.varve.api.v1.RelationEntry;
import dev.varve.api.v1.Setting;
import dev.varve.api.v1.Tablespace;
import dev.varve.api.v1.ThinImageHeader;
import dev.varve.engine.PageserverException;
import dev.varve.engine.image.ThinImage;
import dev.varve.engine.timeline.Shard;
import dev.varve.engine.timeline.Timeline;
import dev.varve.server.attachment.Attachment;
import dev.varve.server.attachment.Attachments;
import dev.varve.server.attachment.Token;
import dev.varve.server.metrics.PageMeters;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Reads for computes. Methods are called on the connections' threads and may not block there: page
 * hits are answered at once, everything else moves to a virtual thread.
 */
final class PageService extends PageServiceGrpc.PageServiceImplBase {
  private static final int ENTRIES_PER_MESSAGE = 1000;

  private final Attachments attachments;
  private final PageReads reads;
  private final PageMeters meters;
  private final BlockingReads blocking;
  private final Duration lsnTimeout;
  private final int pipeline;

  PageService(
      Attachments attachments,
      PageMeters meters,
      BlockingReads blocking,
      Duration lsnTimeout,
      int pipeline) {
    this.attachments = attachments;
    this.reads = new PageReads(lsnTimeout);
    this.meters = meters;
    this.blocking = blocking;
    this.lsnTimeout = lsnTimeout;
    this.pipeline = pipeline;
  }

  @Override
  public StreamObserver<GetPagesRequest> getPages(StreamObserver<GetPagesResponse> answers) {
    return new PageStream(
        (ServerCallStreamObserver<GetPagesResponse>) answers,
        attachments,
        reads,
        meters,
        blocking,
        pipeline);
  }

  @Override
  public void getRelationSize(
      GetRelationSizeRequest request, StreamObserver<GetRelationSizeResponse> answers) {
    Token token = Bearer.shown();
    blocking.execute(
        request.getTimeline(),
        Answers.guarded(
            answers,
            () -> {
              Timeline timeline = readable(request.getTimeline(), request.getLsn(), token);
              int blocks =
                  timeline.relationSize(
                      Requests.locator(request.getRelation()),
                      Requests.fork(request.getRelation()),
                      request.getLsn());
              answers.onNext(
                  GetRelationSizeResponse.newBuilder()
                      .setExists(blocks != -1)
                      .setBlocks(blocks == -1 ? 0 : blocks)
                      .build());
              answers.onCompleted();
            }));
  }

  @Override
  public void listRelations(
      ListRelationsRequest request, StreamObserver<ListRelationsResponse> answers) {
    Token token = Bearer.shown();
    blocking.execute(
        request.getTimeline(),
        Answers.guarded(
            answers,
            () -> {
              Timeline timeline = readable(request.getTimeline(), request.getLsn(), token);
              List<dev.varve.engine.timeline.RelationEntry> entries =
                  timeline.listRelations(
                      request.getTablespaceOid(), request.getDatabaseOid(), request.getLsn());
              for (int from = 0; from < entries.size(); from += ENTRIES_PER_MESSAGE) {
                int to = Math.min(entries.size(), from + ENTRIES_PER_MESSAGE);
                answers.onNext(message(entries.subList(from, to)));
              }
              answers.onCompleted();
            }));
  }

  private static ListRelationsResponse message(
      List<dev.varve.engine.timeline.RelationEntry> entries) {
    ListRelationsResponse.Builder message = ListRelationsResponse.newBuilder();
    for (dev.varve.engine.timeline.RelationEntry entry : entries) {
      message.addRelations(
          RelationEntry.newBuilder()
              .setRelationNumber(entry.relationNumber())
              .setFork(entry.fork())
              .setBlocks(entry.blocks())
              .setSourceFork(entry.sourceFork()));
    }
    return message.build();
  }

  @Override
  public void getThinImage(
      GetThinImageRequest request, StreamObserver<GetThinImageResponse> answers) {
    ServerCallStreamObserver<GetThinImageResponse> out =
        (ServerCallStreamObserver<GetThinImageResponse>) answers;
    Token token = Bearer.shown();
    ThinImageStream stream = new ThinImageStream(out);
    blocking.executeLong(
        Answers.guarded(
            answers,
            () -> {
              Attachment attachment =
                  attachments.get(Requests.timeline(request.getTimeline()), token);
              Timeline timeline = attachment.timeline();
              long lsn = request.getLsn() == 0 ? timeline.receivedLsn() : request.getLsn();
              timeline.waitFor(lsn, lsnTimeout);
              attachment.refreshSettings(lsn);
              ThinImage image = ThinImage.at(timeline, lsn);
              answers.onNext(
                  GetThinImageResponse.newBuilder()
                      .setHeader(header(image, timeline))
                      .build());
              try {
                image.writeTo(stream);
                stream.finish();
              } catch (IOException e) {
                throw new PageserverException.Unavailable(
                    "thin image not sent: " + e.getMessage(), e);
              }
              answers.onCompleted();
            }));
  }

  private static ThinImageHeader header(ThinImage image, Timeline timeline) {
    Shard shard = timeline.shard();
    ThinImageHeader.Builder header =
        ThinImageHeader.newBuilder()
            .setLsn(image.lsn())
            .setSystemIdentifier(image.identity().systemIdentifier())
            .setPostgresMajor(image.identity().major().number())
            .setDataChecksums(image.hasChecksums())
            .setWalSegmentBytes(image.identity().walSegmentBytes())
            .setShardCount(shard.count())
            .setStripeBlocks(shard.stripeBlocks());
    for (var directory : image.directories()) {
      header.addDirectories(
          DatabaseDirectory.newBuilder()
              .setTablespaceOid(directory.tablespaceOid())
              .setDatabaseOid(directory.databaseOid()));
    }
    String versionDirectory = image.tablespaceVersionDirectory();
    image
        .tablespaces()
        .forEach((oid, location) ->
            header.addTablespaces(
                Tablespace.newBuilder()
                    .setOid(oid)
                    .setLocation(location)
                    .setVersionDirectory(versionDirectory)));
    timeline
        .settings(image.lsn())
        .values()
        .forEach((name, value) ->
            header.addSettings(Setting.newBuilder().setName(name).setValue(value)));
    return header.build();
  }

  private Timeline readable(String name, long lsn, @Nullable Token token) {
    Timeline timeline = attachments.get(Requests.timeline(name), token).timeline();
    timeline.waitFor(lsn, lsnTimeout);
    return timeline;
  }
}
