package dev.varve.operator.pageserver;

import dev.varve.crd.Timeline;
import dev.varve.operator.plan.Holder;
import dev.varve.operator.plan.PageserverPod;
import dev.varve.operator.plan.Report;
import dev.varve.operator.plan.ShardId;
import dev.varve.operator.plan.ShardLayout;
import dev.varve.operator.plan.StoreFailure;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.PodCondition;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.informers.ResourceEventHandler;
import io.fabric8.kubernetes.client.informers.SharedIndexInformer;
import io.grpc.StatusRuntimeException;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Every pageserver: its pod, by a watch, and its timelines, by polling. Listeners are notified of
 * what changed. Any thread.
 */
public final class Fleet implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Fleet.class);

  /** Called on the fleet's threads; must not block for long. */
  public interface Listener {
    /** A pod came, went, or became ready or ceased to be. */
    void podsChanged();

    /** What a pageserver says of a timeline changed in more than its measures. */
    void timelineChanged(String tenantId, String timeline);

    /** A pageserver has a timeline of the tenant that it had not, or reads it with other tokens. */
    default void tokensChanged(String tenantId) {}
  }

  private static final long SOON_MILLIS = 300;

  private final SharedIndexInformer<Pod> informer;
  private final Map<String, Pageserver> byUid = new ConcurrentHashMap<>();

  /** By uid, when a pod that is not ready was first seen so. */
  private final Map<String, Long> unreadySinceNanos = new ConcurrentHashMap<>();

  private final FleetListeners listeners = new FleetListeners();
  private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
  private final ScheduledExecutorService clock =
      Executors.newSingleThreadScheduledExecutor(
          Thread.ofPlatform().daemon().name("varve-fleet").factory());
  private final Function<PageserverPod, InetSocketAddress> addresses;
  private final String managementToken;
  private final Duration grace;

  /** One pod that can be polled. */
  private static final class Pageserver {
    final String address;
    final PageserverClient client;
    volatile @Nullable Map<String, Report> reports;
    volatile @Nullable StoreFailure store;
    final MeasureChanges measures = new MeasureChanges();
    final AtomicBoolean polling = new AtomicBoolean();
    final AtomicBoolean pollsSoon = new AtomicBoolean();

    /**
     * By {@link System#nanoTime}, when it was first polled in vain; null while it answers, and
     * before the first answer.
     */
    volatile @Nullable Long silentSinceNanos;

    Pageserver(String address, PageserverClient client) {
      this.address = address;
      this.client = client;
    }
  }

  /**
   * @param addresses where a pod is managed
   * @param grace a pod that has not answered for so long is not ready, whatever Kubernetes says: it
   *     takes up to a minute to find out that a node has lost its power, and dates it by then
   */
  public Fleet(
      KubernetesClient client,
      String namespace,
      String selector,
      Function<PageserverPod, InetSocketAddress> addresses,
      String managementToken,
      Duration pollInterval,
      Duration grace) {
    this.addresses = addresses;
    this.managementToken = managementToken;
    this.grace = grace;
    informer = client.pods().inNamespace(namespace).withLabelSelector(selector).runnableInformer(0);
    // Whatever ends a watch, it begins again: a fleet without one would be stale for good.
    informer.exceptionHandler((started, _) -> started);
    informer.addEventHandler(new PodHandler());
    informer.run();
    awaitFirstPolls();
    var _ =
        clock.scheduleWithFixedDelay(
            this::pollAll, 0, pollInterval.toMillis(), TimeUnit.MILLISECONDS);
  }

  /**
   * Polls every pod once: an operator that starts must not take for silent what it has not polled
   * yet, and lead readers away from it.
   */
  private void awaitFirstPolls() {
    List<Future<?>> all = new ArrayList<>();
    for (PageserverPod pod : pods()) {
      if (!pod.address().isEmpty()) {
        all.add(threads.submit(() -> poll(pod)));
      }
    }
    for (Future<?> one : all) {
      try {
        one.get();
      } catch (ExecutionException e) {
        LOG.error("a pageserver cannot be polled", e);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        return;
      }
    }
  }

  private final class PodHandler implements ResourceEventHandler<Pod> {
    @Override
    public void onAdd(Pod pod) {
      listeners.podsChanged();
    }

    @Override
    public void onUpdate(Pod before, Pod after) {
      if (!of(before).equals(of(after))) {
        listeners.podsChanged();
      }
    }

    @Override
    public void onDelete(Pod pod, boolean unknown) {
      unreadySinceNanos.remove(pod.getMetadata().getUid());
      Pageserver gone = byUid.remove(pod.getMetadata().getUid());
      if (gone != null) {
        gone.client.close();
      }
      listeners.podsChanged();
    }
  }

  public void listen(Listener listener) {
    listeners.add(listener);
  }

  /** Every pod, by name. */
  public List<PageserverPod> pods() {
    return informer.getStore().list().stream()
        .map(Fleet::of)
        .map(this::observed)
        .sorted((a, b) -> a.name().compareTo(b.name()))
        .toList();
  }

  private PageserverPod observed(PageserverPod pod) {
    Pageserver pageserver = byUid.get(pod.uid());
    PageserverPod seen = observedReadiness(pod);
    if (pageserver == null) {
      return seen;
    }
    PageserverPod known = seen.withStore(pageserver.store);
    Long silent = pageserver.silentSinceNanos;
    return silent == null ? known : known.silentSince(ago(silent), grace, Instant.now());
  }

  /**
   * The clock of who says since when a pod is not ready may be ahead, and so may have been ours.
   */
  private PageserverPod observedReadiness(PageserverPod pod) {
    if (pod.ready()) {
      unreadySinceNanos.remove(pod.uid());
      return pod;
    }
    return pod.unreadySince(
        ago(unreadySinceNanos.computeIfAbsent(pod.uid(), _ -> System.nanoTime())));
  }

  private static Instant ago(long nanos) {
    return Instant.now().minusNanos(System.nanoTime() - nanos);
  }

  static PageserverPod of(Pod pod) {
    PodCondition ready = null;
    if (pod.getStatus() != null && pod.getStatus().getConditions() != null) {
      for (PodCondition condition : pod.getStatus().getConditions()) {
        if (condition.getType().equals("Ready")) {
          ready = condition;
        }
      }
    }
    String since = ready == null ? null : ready.getLastTransitionTime();
    String address = pod.getStatus() == null ? null : pod.getStatus().getPodIP();
    String node = pod.getSpec().getNodeName();
    return new PageserverPod(
        pod.getMetadata().getName(),
        pod.getMetadata().getUid(),
        node == null ? "" : node,
        address == null ? "" : address,
        pod.getMetadata().getLabels() == null ? Map.of() : pod.getMetadata().getLabels(),
        ready != null && ready.getStatus().equals("True"),
        Instant.parse(since != null ? since : pod.getMetadata().getCreationTimestamp()),
        pod.getMetadata().getDeletionTimestamp() != null,
        null);
  }

  /** A secret of the operator and its pageservers, the same after a restart. */
  public String secret() {
    return managementToken;
  }

  /** What a pod's timelines are; null: it was not polled yet or did not answer. */
  public @Nullable Map<String, Report> reports(String podUid) {
    Pageserver pageserver = byUid.get(podUid);
    return pageserver == null ? null : pageserver.reports;
  }

  /** The pods that answered and hold a shard. */
  public List<Holder> holders(ShardId shard) {
    String id = shard.toString();
    List<Holder> holders = new ArrayList<>();
    for (PageserverPod pod : pods()) {
      Map<String, Report> reports = reports(pod.uid());
      Report report = reports == null ? null : reports.get(id);
      if (report != null) {
        holders.add(new Holder(pod, report));
      }
    }
    return holders;
  }

  /**
   * What is attached and must not be, by the uid of the pod that has it: other timelines of this
   * one's name, and this one under other names.
   *
   * @param shard any of the timeline
   */
  public Map<String, List<ShardId>> mistaken(ShardId shard) {
    Map<String, List<ShardId>> mistaken = new HashMap<>();
    byUid.forEach((uid, pageserver) -> {
      Map<String, Report> reports = pageserver.reports;
      if (reports != null) {
        List<ShardId> held =
            reports.keySet().stream()
                .map(ShardId::parse)
                .filter(one -> one.isMistakenFor(shard))
                .toList();
        if (!held.isEmpty()) {
          mistaken.put(uid, held);
        }
      }
    });
    return mistaken;
  }

  /** How a timeline is dealt out on the pods that hold it; null: none does. */
  public @Nullable ShardLayout layout(Timeline timeline) {
    ShardId whole = ShardLayout.WHOLE.shards(timeline).getFirst();
    String name = whole.tenantId() + "/" + whole.timeline() + "/";
    String id = "@" + whole.id();
    for (PageserverPod pod : pods()) {
      Map<String, Report> reports = Objects.requireNonNullElse(reports(pod.uid()), Map.of());
      for (String held : reports.keySet()) {
        if (held.equals(whole.toString())) {
          return ShardLayout.WHOLE;
        }
        if (held.startsWith(name) && held.endsWith(id)) {
          return ShardLayout.ofShard(held.substring(name.length(), held.length() - id.length()));
        }
      }
    }
    return null;
  }

  /** Management calls to a pod. */
  public PageserverClient client(PageserverPod pod) {
    return pageserver(pod).client;
  }

  /** Management calls to a pod that was polled; null when it is gone. */
  public @Nullable PageserverClient client(String podUid) {
    Pageserver pageserver = byUid.get(podUid);
    return pageserver == null ? null : pageserver.client;
  }

  /** A pod that lost its node and came back has its uid still, but another address. */
  private Pageserver pageserver(PageserverPod pod) {
    return Objects.requireNonNull(
        byUid.compute(
            pod.uid(),
            (uid, present) -> {
              if (present != null && present.address.equals(pod.address())) {
                return present;
              }
              if (present != null) {
                present.client.close();
              }
              return new Pageserver(
                  pod.address(), new PageserverClient(addresses.apply(pod), managementToken));
            }));
  }

  private void pollAll() {
    try {
      for (PageserverPod pod : pods()) {
        if (!pod.address().isEmpty() && pageserver(pod).polling.compareAndSet(false, true)) {
          threads.execute(() -> pollInTurn(pod));
        }
      }
    } catch (RejectedExecutionException e) {
      LOG.debug("closed", e);
    } catch (RuntimeException | Error e) {
      // A schedule whose run throws is never run again.
      LOG.error("the pageservers cannot be polled", e);
    }
  }

  /** A pod that takes long to answer is not polled again meanwhile. */
  private void pollInTurn(PageserverPod pod) {
    Pageserver pageserver = pageserver(pod);
    try {
      poll(pod);
    } finally {
      pageserver.polling.set(false);
    }
  }

  /** Polls a pod again soon: something is about to be ready. */
  private void pollSoon(Pageserver pageserver, String uid) {
    if (!pageserver.pollsSoon.compareAndSet(false, true)) {
      return;
    }
    try {
      var _ =
          clock.schedule(
              () ->
                  threads.execute(() -> {
                    pageserver.pollsSoon.set(false);
                    pods().stream().filter(p -> p.uid().equals(uid)).forEach(this::poll);
                  }),
              SOON_MILLIS,
              TimeUnit.MILLISECONDS);
    } catch (RejectedExecutionException e) {
      LOG.debug("closed", e);
    }
  }

  /** Polls a pod now. */
  public void poll(PageserverPod pod) {
    Pageserver pageserver = pageserver(pod);
    Map<String, Report> before;
    Map<String, Report> after;
    boolean hasStoreChanged;
    synchronized (pageserver) {
      StoreFailure storeBefore = pageserver.store;
      long pollNanos = System.nanoTime();
      before = pageserver.reports;
      try {
        PageserverClient.Listing listing = pageserver.client.list();
        after = listing.reports();
        pageserver.store = listing.store();
        pageserver.silentSinceNanos = null;
      } catch (StatusRuntimeException e) {
        if (before != null) {
          LOG.info("{} does not answer: {}", pod.name(), PageserverClient.text(e));
          pageserver.silentSinceNanos = pollNanos;
          notifyAfterGrace(pageserver, pollNanos);
        }
        after = null;
        pageserver.store = null;
      }
      pageserver.reports = after;
      hasStoreChanged = !Objects.equals(storeBefore, pageserver.store);
    }
    listeners.reportsChanged(before, after);
    if (hasStoreChanged) {
      listeners.podsChanged();
    }
    if (after != null) {
      pageserver.measures.next(after, System.nanoTime()).forEach(listeners::timelineChanged);
      if (after.values().stream().anyMatch(r -> r.state() == Report.State.Loading)) {
        pollSoon(pageserver, pod.uid());
      }
    }
  }

  /** Notifies listeners at the end of the grace of a pod that does not answer. */
  private void notifyAfterGrace(Pageserver pageserver, Long silentSinceNanos) {
    long left = grace.minusNanos(System.nanoTime() - silentSinceNanos).toMillis();
    try {
      var _ =
          clock.schedule(
              () ->
                  threads.execute(() -> {
                    if (silentSinceNanos.equals(pageserver.silentSinceNanos)) {
                      listeners.podsChanged();
                    }
                  }),
              Math.max(left, 0) + 1,
              TimeUnit.MILLISECONDS);
    } catch (RejectedExecutionException e) {
      LOG.debug("closed", e);
    }
  }

  /** Bytes of layers that a pod's timelines have. */
  public long bytes(String podUid) {
    Map<String, Report> reports = Objects.requireNonNullElse(reports(podUid), Map.of());
    return reports.values().stream().mapToLong(Report::layerBytes).sum();
  }

  @Override
  public void close() {
    clock.shutdownNow();
    threads.shutdownNow();
    informer.stop();
    byUid.values().forEach(p -> p.client.close());
  }
}
