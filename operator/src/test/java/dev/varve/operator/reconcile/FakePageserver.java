package dev.varve.operator.reconcile;

import dev.varve.api.v1.AttachTimelineRequest;
import dev.varve.api.v1.AttachTimelineResponse;
import dev.varve.api.v1.DetachTimelineRequest;
import dev.varve.api.v1.DetachTimelineResponse;
import dev.varve.api.v1.GetStoredGenerationRequest;
import dev.varve.api.v1.GetStoredGenerationResponse;
import dev.varve.api.v1.HandOverTimelineRequest;
import dev.varve.api.v1.HandOverTimelineResponse;
import dev.varve.api.v1.ListStoredTimelinesRequest;
import dev.varve.api.v1.ListStoredTimelinesResponse;
import dev.varve.api.v1.ListTimelinesRequest;
import dev.varve.api.v1.ListTimelinesResponse;
import dev.varve.api.v1.ManagementServiceGrpc;
import dev.varve.api.v1.PrimarySource;
import dev.varve.api.v1.SetReadTokensRequest;
import dev.varve.api.v1.SetReadTokensResponse;
import dev.varve.api.v1.StoreFailure;
import dev.varve.api.v1.StoreFailureKind;
import dev.varve.api.v1.StoredTimeline;
import dev.varve.api.v1.TimelineState;
import dev.varve.api.v1.TimelineStatus;
import io.grpc.Server;
import io.grpc.Status;
import io.grpc.StatusException;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.regex.Pattern;

/**
 * The management half of a pageserver, without pages: what is attached is active at once or after a
 * while, and generations are minded in an object store that several of these share.
 */
final class FakePageserver extends ManagementServiceGrpc.ManagementServiceImplBase
    implements AutoCloseable {
  final Map<String, AttachTimelineRequest> attached = new ConcurrentHashMap<>();
  final List<DetachTimelineRequest> detached = new CopyOnWriteArrayList<>();
  final Set<String> handedOver = ConcurrentHashMap.newKeySet();
  private static final String FULL = "db.shop.svc:5432 has no room for another timeline";

  private static final Pattern NAMES =
      Pattern.compile("([-a-z0-9]{1,63}[.])?[-a-z0-9]{1,63}/[-a-z0-9]{1,63}");
  private static final Pattern SLOT = Pattern.compile("[a-z0-9_]{1,63}");

  /** What timelines were called, by id. */
  private final Map<String, String> names = new ConcurrentHashMap<>();

  private final Map<String, Long> loadedAt = new ConcurrentHashMap<>();
  private final Map<String, Integer> store;
  private final Server server;

  /** Whether it does not answer when it is asked for its timelines. */
  volatile boolean silent;

  /** Failure of every source; empty for none. */
  volatile String sourceFailure = "";

  /** Why nothing can be handed over; empty for nothing. */
  volatile String publishFailure = "";

  /** Why no slot can be dropped; empty for nothing. */
  volatile String dropFailure = "";

  /**
   * Why no first copy gets anywhere; empty for nothing. What is listed is an attempt and its
   * failure in turn.
   */
  volatile String copyFailure = "";

  /** What fails at the object store: nothing is claimed or looked up then; empty for nothing. */
  volatile String storeFailure = "";

  /** How many slots the primary has; timelines above that, by name, find none. */
  volatile int slots = Integer.MAX_VALUE;

  /** What every slot makes its primary keep. */
  final AtomicLong retainedWalBytes = new AtomicLong();

  private final AtomicInteger lists = new AtomicInteger();

  /** How long what is attached is being loaded. */
  volatile long loadNanos;

  FakePageserver(Map<String, Integer> store) throws IOException {
    this(store, new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
  }

  FakePageserver(Map<String, Integer> store, InetSocketAddress address) throws IOException {
    this.store = store;
    server = NettyServerBuilder.forAddress(address).addService(this).build().start();
  }

  private static String id(String tenant, String timeline, String shard) {
    return shard.isEmpty() ? tenant + "/" + timeline : tenant + "/" + timeline + "/" + shard;
  }

  /** Whether another timeline has the name here. */
  private boolean isNamesake(String name, String timelineId) {
    AttachTimelineRequest present = attached.get(name);
    return present != null && !present.getTimelineId().equals(timelineId);
  }

  private boolean hasAnotherLayout(String id) {
    return store.keySet().stream()
        .anyMatch(
            stored -> timeline(stored).equals(timeline(id)) && !layout(stored).equals(layout(id)));
  }

  private static String timeline(String id) {
    String[] parts = id.split("/", -1);
    return parts[0] + "/" + parts[1];
  }

  private static String layout(String id) {
    String shard = id.substring(timeline(id).length());
    return shard.substring(shard.indexOf('-') + 1);
  }

  private static StatusException anotherLayout() {
    return Status.FAILED_PRECONDITION.withDescription("written in other shards").asException();
  }

  private StoreFailure failure() {
    return StoreFailure.newBuilder()
        .setKind(StoreFailureKind.STORE_FAILURE_KIND_UNREACHABLE)
        .setSinceSeconds(1)
        .setText(storeFailure)
        .build();
  }

  private boolean storeFails(StreamObserver<?> answer) {
    if (storeFailure.isEmpty()) {
      return false;
    }
    answer.onError(
        Status.UNAVAILABLE
            .withDescription("cannot read the manifest: " + storeFailure)
            .asException());
    return true;
  }

  int port() {
    return server.getPort();
  }

  /** As the pageserver does: RFC 1123 labels, a tenant's perhaps with a namespace before it. */
  private static boolean isInvalid(
      String tenant, String timeline, PrimarySource primary, StreamObserver<?> answer) {
    if (NAMES.matcher(tenant + "/" + timeline).matches()
        && (primary.getSlot().isEmpty() || SLOT.matcher(primary.getSlot()).matches())) {
      return false;
    }
    answer.onError(Status.INVALID_ARGUMENT.withDescription("a name is invalid").asException());
    return true;
  }

  /** How often its timelines were listed. */
  int lists() {
    return lists.get();
  }

  @Override
  public synchronized void attachTimeline(
      AttachTimelineRequest request, StreamObserver<AttachTimelineResponse> answer) {
    String id = id(request.getTenant(), request.getTimeline(), request.getShard());
    String stored = id(request.getTenant(), request.getTimelineId(), request.getShard());
    if (isInvalid(request.getTenant(), request.getTimeline(), request.getPrimary(), answer)) {
      return;
    }
    if (isNamesake(id, request.getTimelineId())) {
      answer.onError(Status.UNAVAILABLE.withDescription("another has the name").asException());
      return;
    }
    if (storeFails(answer)) {
      return;
    }
    if (hasAnotherLayout(stored)) {
      answer.onError(anotherLayout());
      return;
    }
    if (request.getAdopt() && !store.containsKey(stored)) {
      answer.onError(Status.NOT_FOUND.withDescription("no such timeline").asException());
      return;
    }
    int seen = store.getOrDefault(stored, 0);
    if (seen == 0 && request.getStored()) {
      answer.onError(
          Status.NOT_FOUND.withDescription("no longer holds the data of " + id).asException());
      return;
    }
    names.put(request.getTimelineId(), request.getTimeline());
    AttachTimelineRequest present = attached.get(id);
    boolean again = present != null && present.getGeneration() == request.getGeneration();
    if (!again && request.getGeneration() <= seen) {
      answer.onError(
          Status.ABORTED.withDescription("generation " + seen + " has attached").asException());
      return;
    }
    store.put(stored, request.getGeneration());
    attached.put(id, request);
    handedOver.remove(id);
    loadedAt.put(id, System.nanoTime() + loadNanos);
    answer.onNext(
        AttachTimelineResponse.newBuilder().setGeneration(request.getGeneration()).build());
    answer.onCompleted();
  }

  @Override
  public synchronized void setReadTokens(
      SetReadTokensRequest request, StreamObserver<SetReadTokensResponse> answer) {
    String id = id(request.getTenant(), request.getTimeline(), request.getShard());
    if (isNamesake(id, request.getTimelineId())) {
      answer.onError(Status.NOT_FOUND.asException());
      return;
    }
    AttachTimelineRequest present =
        attached.computeIfPresent(
            id,
            (_, before) ->
                before.toBuilder()
                    .setTokenSha256(request.getTokenSha256())
                    .setPreviousTokenSha256(request.getPreviousTokenSha256())
                    .build());
    if (present == null) {
      answer.onError(Status.NOT_FOUND.asException());
      return;
    }
    answer.onNext(SetReadTokensResponse.getDefaultInstance());
    answer.onCompleted();
  }

  @Override
  public synchronized void detachTimeline(
      DetachTimelineRequest request, StreamObserver<DetachTimelineResponse> answer) {
    String id = id(request.getTenant(), request.getTimeline(), request.getShard());
    if (isInvalid(request.getTenant(), request.getTimeline(), request.getPrimary(), answer)) {
      return;
    }
    String stored = id(request.getTenant(), request.getTimelineId(), request.getShard());
    if (request.getDeleteObjects() && hasAnotherLayout(stored)) {
      answer.onError(anotherLayout());
      return;
    }
    if (request.getDropSlot() && !dropFailure.isEmpty()) {
      answer.onError(Status.UNAVAILABLE.withDescription(dropFailure).asException());
      return;
    }
    if (!isNamesake(id, request.getTimelineId())) {
      attached.remove(id);
      handedOver.remove(id);
    }
    detached.add(request);
    if (request.getDeleteObjects()) {
      store.remove(stored);
    }
    answer.onNext(DetachTimelineResponse.getDefaultInstance());
    answer.onCompleted();
  }

  @Override
  public synchronized void handOverTimeline(
      HandOverTimelineRequest request, StreamObserver<HandOverTimelineResponse> answer) {
    String id = id(request.getTenant(), request.getTimeline(), request.getShard());
    if (!attached.containsKey(id) || isNamesake(id, request.getTimelineId())) {
      answer.onError(Status.NOT_FOUND.withDescription(id + " is not here").asException());
      return;
    }
    if (!publishFailure.isEmpty()) {
      answer.onError(Status.UNAVAILABLE.withDescription(publishFailure).asException());
      return;
    }
    handedOver.add(id);
    answer.onNext(HandOverTimelineResponse.newBuilder().setPublishedLsn(0x1000).build());
    answer.onCompleted();
  }

  @Override
  public void getStoredGeneration(
      GetStoredGenerationRequest request, StreamObserver<GetStoredGenerationResponse> answer) {
    String id = id(request.getTenant(), request.getTimelineId(), request.getShard());
    if (storeFails(answer)) {
      return;
    }
    if (hasAnotherLayout(id)) {
      answer.onError(anotherLayout());
      return;
    }
    answer.onNext(
        GetStoredGenerationResponse.newBuilder().setGeneration(store.getOrDefault(id, 0)).build());
    answer.onCompleted();
  }

  @Override
  public void listTimelines(
      ListTimelinesRequest request, StreamObserver<ListTimelinesResponse> answer) {
    if (silent) {
      answer.onError(Status.UNAVAILABLE.asException());
      return;
    }
    boolean isAttempt = lists.incrementAndGet() % 2 == 0;
    ListTimelinesResponse.Builder all = ListTimelinesResponse.newBuilder();
    for (AttachTimelineRequest timeline : attached.values()) {
      TimelineState state =
          state(id(timeline.getTenant(), timeline.getTimeline(), timeline.getShard()));
      TimelineStatus.Builder status =
          TimelineStatus.newBuilder()
              .setTenant(timeline.getTenant())
              .setTimeline(timeline.getTimeline())
              .setTimelineId(timeline.getTimelineId())
              .setShard(timeline.getShard())
              .setGeneration(timeline.getGeneration())
              .setState(state)
              .setProblem(sourceFailure)
              .setRetainedWalBytes(retainedWalBytes.get())
              .addTokenSha256(timeline.getTokenSha256());
      if (!timeline.getPreviousTokenSha256().isEmpty()) {
        status.addTokenSha256(timeline.getPreviousTokenSha256());
      }
      String copy = copyFailure(timeline.getTimeline());
      if (!copy.isEmpty()) {
        status.setState(
            isAttempt
                ? TimelineState.TIMELINE_STATE_COPYING
                : TimelineState.TIMELINE_STATE_SOURCE_FAILING);
        status.setProblem(isAttempt ? "" : copy);
        if (copy.equals(FULL) && !isAttempt) {
          status.getFullSourceBuilder().setMaxReplicationSlots(slots).setMaxWalSenders(slots);
        }
      } else if (state != TimelineState.TIMELINE_STATE_LOADING) {
        status.setSystemIdentifier(7).setPostgresMajor(17);
        status.setReadableFromLsn(0x28).setReceivedLsn(0x1000).setPublishedLsn(0x1000);
      }
      if (!storeFailure.isEmpty()) {
        status.setStoreFailure(failure());
      }
      all.addTimelines(status);
    }
    if (!storeFailure.isEmpty()) {
      all.setStoreFailure(failure());
    }
    answer.onNext(all.build());
    answer.onCompleted();
  }

  @Override
  public void listStoredTimelines(
      ListStoredTimelinesRequest request, StreamObserver<ListStoredTimelinesResponse> answer) {
    if (storeFails(answer)) {
      return;
    }
    ListStoredTimelinesResponse.Builder all = ListStoredTimelinesResponse.newBuilder();
    store.keySet().stream()
        .filter(stored -> stored.startsWith(request.getTenant() + "/"))
        .map(stored -> stored.split("/", -1)[1])
        .distinct()
        .filter(id -> !request.getExceptTimelineIdsList().contains(id))
        .forEach(id ->
            all.addTimelines(
                StoredTimeline.newBuilder()
                    .setTimelineId(id)
                    .setTimeline(names.getOrDefault(id, "unknown"))
                    .setRetainedSinceSeconds(1_800_000_000)
                    .setPublishedLsn(0x1000)
                    .setSystemIdentifier(7)
                    .setLayerBytes(4096)));
    answer.onNext(all.build());
    answer.onCompleted();
  }

  private String copyFailure(String timeline) {
    if (attached.values().stream()
            .map(AttachTimelineRequest::getTimeline)
            .sorted()
            .toList()
            .indexOf(timeline)
        >= slots) {
      return FULL;
    }
    return copyFailure;
  }

  private TimelineState state(String id) {
    if (System.nanoTime() - loadedAt.getOrDefault(id, 0L) < 0) {
      return TimelineState.TIMELINE_STATE_LOADING;
    }
    if (handedOver.contains(id)) {
      return TimelineState.TIMELINE_STATE_HANDED_OVER;
    }
    return sourceFailure.isEmpty()
        ? TimelineState.TIMELINE_STATE_ACTIVE
        : TimelineState.TIMELINE_STATE_SOURCE_FAILING;
  }

  @Override
  public void close() {
    server.shutdownNow();
  }
}
