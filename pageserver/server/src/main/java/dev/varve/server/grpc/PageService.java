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
import dev.varve.api.v1.SlruPages;
import dev.varve.api.v1.Tablespace;
import dev.varve.api.v1.ThinImageHeader;
import dev.varve.engine.PageserverException;
import dev.varve.engine.catalog.ClusterView;
import dev.varve.engine.catalog.RelationPage;
import dev.varve.engine.catalog.Shard;
import dev.varve.engine.image.ThinImage;
import dev.varve.engine.store.FailureText;
import dev.varve.engine.timeline.Timeline;
import dev.varve.server.attachment.Attachment;
import dev.varve.server.attachment.Attachments;
import dev.varve.server.attachment.Token;
import dev.varve.server.grpc.Requests.ReadTarget;
import dev.varve.server.metrics.PageMeters;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.function.Function;
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
    read(
        answers,
        request.getTimeline(),
        request.getLsn(),
        timeline -> {
          int blocks =
              timeline.relationSize(
                  Requests.locator(request.getRelation()),
                  Requests.fork(request.getRelation()),
                  request.getLsn());
          return GetRelationSizeResponse.newBuilder()
              .setExists(blocks != -1)
              .setBlocks(blocks == -1 ? 0 : blocks)
              .build();
        });
  }

  @Override
  public void listRelations(
      ListRelationsRequest request, StreamObserver<ListRelationsResponse> answers) {
    read(
        answers,
        request.getTimeline(),
        request.getLsn(),
        timeline -> {
          ClusterView view = timeline.view(request.getLsn());
          return message(
              request.getRelationNumber() != 0
                  ? view.relation(
                      request.getTablespaceOid(),
                      request.getDatabaseOid(),
                      request.getRelationNumber())
                  : view.relations(
                      request.getTablespaceOid(),
                      request.getDatabaseOid(),
                      request.getPosition(),
                      ClusterView.PAGE_FORKS));
        });
  }

  /**
   * Answers from a timeline once the LSN was received. Whoever may not read it is refused on the
   * connection's thread: that costs no thread, no permit and no buffer. The wait for the LSN holds
   * no permit.
   */
  private <T> void read(
      StreamObserver<T> answers, String name, long lsn, Function<Timeline, T> read) {
    Token token = Bearer.shown();
    Answers.guarded(
            answers,
            () -> {
              ReadTarget target = Requests.read(name);
              Attachment _ = attachment(target, token);
              blocking.execute(
                  name,
                  Answers.guarded(
                      answers,
                      room -> {
                        Timeline timeline = attachment(target, token).timeline();
                        timeline.waitFor(lsn, lsnTimeout);
                        return room.read(() -> read.apply(timeline));
                      }));
            })
        .run();
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
    Answers.guarded(
            answers,
            () -> {
              ReadTarget target = Requests.read(request.getTimeline());
              Attachment _ = attachment(target, token);
              ThinImageStream stream = new ThinImageStream(out);
              blocking.executeLong(
                  Answers.guarded(
                      answers, () -> send(attachment(target, token), request, out, stream)));
            })
        .run();
  }

  private void send(
      Attachment attachment,
      GetThinImageRequest request,
      StreamObserver<GetThinImageResponse> answers,
      ThinImageStream stream) {
    Timeline timeline = attachment.timeline();
    long lsn = request.getLsn() == 0 ? timeline.receivedLsn() : request.getLsn();
    timeline.waitFor(lsn, lsnTimeout);
    attachment.refreshSettings(lsn);
    ThinImage image = ThinImage.at(timeline, lsn);
    ThinImageHeader.Builder header = header(image, attachment);
    if (request.getSlruPages()) {
      header.addAllSlruPages(oldSegments(image));
    }
    answers.onNext(GetThinImageResponse.newBuilder().setHeader(header).build());
    try {
      if (request.getSlruPages()) {
        image.writeWithoutOldSegments(stream);
      } else {
        image.writeTo(stream);
      }
      stream.finish();
    } catch (IOException e) {
      throw new PageserverException.Unavailable("thin image not sent: " + FailureText.of(e), e);
    }
    answers.onCompleted();
  }

  private static ThinImageHeader.Builder header(ThinImage image, Attachment attachment) {
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
    return header;
  }

  private static List<SlruPages> oldSegments(ThinImage image) {
    return image.oldSegments().stream()
        .map(run ->
            SlruPages.newBuilder()
                .setSlru(Requests.slruNumber(run.slru()))
                .setFirstPage((int) run.firstPage())
                .setPageCount((int) run.pages())
                .build())
        .toList();
  }

  private Attachment attachment(ReadTarget target, @Nullable Token token) {
    return attachments.get(target.id(), target.uid(), token);
  }
}
