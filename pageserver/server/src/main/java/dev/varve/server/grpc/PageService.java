package dev.varve.server.grpc;

import com.google.protobuf.UnsafeByteOperations;
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
import dev.varve.api.v1.Setting;
import dev.varve.api.v1.Tablespace;
import dev.varve.api.v1.ThinImageHeader;
import dev.varve.engine.PageserverException;
import dev.varve.engine.image.ThinImage;
import dev.varve.engine.store.FailureText;
import dev.varve.engine.timeline.ClusterView;
import dev.varve.engine.timeline.RelationPage;
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
import org.jspecify.annotations.Nullable;

/**
 * Reads for computes. Methods are called on the connections' threads and may not block there: page
 * hits are answered at once, everything else moves to a virtual thread.
 */
final class PageService extends PageServiceGrpc.PageServiceImplBase {
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
              ClusterView view = timeline.view(request.getLsn());
              answers.onNext(
                  message(
                      request.getRelationNumber() != 0
                          ? view.relation(
                              request.getTablespaceOid(),
                              request.getDatabaseOid(),
                              request.getRelationNumber())
                          : view.relations(
                              request.getTablespaceOid(),
                              request.getDatabaseOid(),
                              request.getPosition(),
                              ClusterView.PAGE_FORKS)));
              answers.onCompleted();
            }));
  }

  private static ListRelationsResponse message(RelationPage page) {
    ListRelationsResponse.Builder message =
        ListRelationsResponse.newBuilder()
            .setForks(UnsafeByteOperations.unsafeWrap(page.forks()))
            .setNextPosition(page.nextPosition());
    int before = 0;
    for (int i = 0; i < page.size(); i++) {
      message.addRelationNumberDeltas(page.relationNumber(i) - before);
      message.addBlocks(page.blocks(i));
      before = page.relationNumber(i);
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
              Attachment attachment = attachment(request.getTimeline(), token);
              Timeline timeline = attachment.timeline();
              long lsn = request.getLsn() == 0 ? timeline.receivedLsn() : request.getLsn();
              timeline.waitFor(lsn, lsnTimeout);
              attachment.refreshSettings(lsn);
              ThinImage image = ThinImage.at(timeline, lsn);
              answers.onNext(
                  GetThinImageResponse.newBuilder().setHeader(header(image, attachment)).build());
              try {
                image.writeTo(stream);
                stream.finish();
              } catch (IOException e) {
                throw new PageserverException.Unavailable(
                    "thin image not sent: " + FailureText.of(e), e);
              }
              answers.onCompleted();
            }));
  }

  private static ThinImageHeader header(ThinImage image, Attachment attachment) {
    Timeline timeline = attachment.timeline();
    Shard shard = timeline.shard();
    ThinImageHeader.Builder header =
        ThinImageHeader.newBuilder()
            .setLsn(image.lsn())
            .setSystemIdentifier(image.identity().systemIdentifier())
            .setPostgresMajor(image.identity().major().number())
            .setDataChecksums(image.hasChecksums())
            .setWalSegmentBytes(image.identity().walSegmentBytes())
            .setShardCount(shard.count())
            .setStripeBlocks(shard.stripeBlocks())
            .setTimelineId(attachment.uid().text());
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
    Timeline timeline = attachment(name, token).timeline();
    timeline.waitFor(lsn, lsnTimeout);
    return timeline;
  }

  private Attachment attachment(String name, @Nullable Token token) {
    Requests.ReadTarget target = Requests.read(name);
    return attachments.get(target.id(), target.uid(), token);
  }
}
