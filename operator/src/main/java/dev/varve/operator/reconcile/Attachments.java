package dev.varve.operator.reconcile;

import dev.varve.crd.ShardAttachment;
import dev.varve.crd.Tenant;
import dev.varve.crd.Timeline;
import dev.varve.operator.pageserver.Fleet;
import dev.varve.operator.pageserver.PageserverClient;
import dev.varve.operator.plan.Notice;
import dev.varve.operator.plan.PageserverPod;
import dev.varve.operator.plan.Refusal;
import dev.varve.operator.plan.ShardId;
import dev.varve.operator.plan.TimelinePlan;
import dev.varve.operator.plan.TimelinePlan.Attach;
import dev.varve.operator.plan.TimelinePlan.HandOver;
import dev.varve.operator.plan.TimelinePlanner;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells pageservers to attach, hand over and detach shards. Before an attachment its generation is
 * written down, with the resource version that was read. Any thread; the shards of one timeline at
 * once, but each timeline on one thread at a time.
 */
final class Attachments {
  private static final Logger LOG = LoggerFactory.getLogger(Attachments.class);

  private final KubernetesClient client;
  private final Fleet fleet;
  private final InstantSource clock;
  private final Events events;
  private final TenantTokens tokens;

  /** Since when shards have been asked to be handed over in vain. */
  private final Map<ShardId, Instant> handOverSince = new ConcurrentHashMap<>();

  /**
   * What came of attachments.
   *
   * @param timeline with the status as it was written
   * @param failures by shard
   */
  record Outcome(Timeline timeline, Map<Integer, Refusal> failures) {}

  /** What came of one; empty for the best. */
  private record Tried(Attach attach, @Nullable StatusRuntimeException failure) {}

  /**
   * What the object store has of a shard.
   *
   * @param generation the highest that it has seen; 0: none
   * @param refusal why that is of no use; null: it is
   */
  private record Stored(int generation, @Nullable Refusal refusal) {
    static Stored refused(Refusal refusal) {
      return new Stored(0, refusal);
    }
  }

  Attachments(KubernetesClient client, Fleet fleet, TenantTokens tokens, InstantSource clock) {
    this.tokens = tokens;
    this.client = client;
    this.fleet = fleet;
    this.clock = clock;
    this.events = new Events(client);
  }

  /** Since when a shard has been asked to be handed over in vain; null: it has not. */
  @Nullable Instant handOverSince(ShardId shard) {
    return handOverSince.get(shard);
  }

  /** Forgets the vain attempts of shards that are not to move any more. */
  void forget(List<ShardId> shards, TimelinePlan plan) {
    for (ShardId shard : shards) {
      if (handOverSince.containsKey(shard)
          && plan.handOvers().stream().noneMatch(h -> h.shard() == shard.index())
          && plan.attaches().stream().noneMatch(a -> a.shard() == shard.index())) {
        handOverSince.remove(shard);
      }
    }
  }

  /**
   * What fails is asked again, unless it is of no use: then it counts as asked long enough. A pod
   * keeps what its successor does not find in the object store.
   *
   * @return why shards cannot be moved, by shard
   */
  Map<Integer, Refusal> handOver(
      Timeline timeline, List<ShardId> shards, List<HandOver> handOvers) {
    Map<Integer, Refusal> refusals = new ConcurrentHashMap<>();
    List<Boolean> _ =
        Fanout.each(
            handOvers,
            handOver -> {
              ShardId shard = shards.get(handOver.shard());
              Stored stored = stored(timeline, shard, handOver.successor());
              if (stored.refusal() != null) {
                refusals.put(handOver.shard(), stored.refusal());
                return false;
              }
              String what = "shard " + handOver.shard() + " by " + handOver.pod().name();
              try {
                fleet.client(handOver.pod()).handOver(shard);
                boolean _ =
                    events.write(
                        timeline,
                        new Notice(
                            false, "HandedOver", what + ", which serves it until it is moved"));
                return true;
              } catch (StatusRuntimeException e) {
                Status.Code code = e.getStatus().getCode();
                boolean patient =
                    code == Status.Code.UNAVAILABLE || code == Status.Code.DEADLINE_EXCEEDED;
                Instant since = patient ? clock.instant() : Instant.EPOCH;
                if (handOverSince.putIfAbsent(shard, since) == null) {
                  boolean _ =
                      events.write(
                          timeline,
                          new Notice(
                              true, "HandOverFailed", what + ": " + PageserverClient.text(e)));
                }
                return false;
              }
            });
    poll(handOvers.stream().map(HandOver::pod).toList());
    return refusals;
  }

  /**
   * As a pod finds it, which refuses a timeline that could be read and of which nothing is left.
   */
  private Stored stored(Timeline timeline, ShardId shard, PageserverPod pod) {
    try {
      int seen = fleet.client(pod).storedGeneration(shard);
      return seen == 0 && isStored(timeline)
          ? Stored.refused(
              missing(
                  "the object store that "
                      + pod.name()
                      + " has no longer holds the data of "
                      + shard
                      + ", which it held: somebody removed objects, or replaced the bucket; bring those"
                      + " below the timeline's prefix back from the bucket's versions"))
          : new Stored(seen, null);
    } catch (StatusRuntimeException e) {
      return Stored.refused(failure(timeline, pod, e));
    }
  }

  private static Refusal missing(String message) {
    return new Refusal(
        Refusal.Kind.OBJECTS_MISSING,
        message + ". A Timeline that is deleted and created again, with a source, is copied anew");
  }

  /** Whether its data came to be in the object store: it could be read. */
  private static boolean isStored(Timeline timeline) {
    return timeline.getStatus() != null && timeline.getStatus().readableFromLsn() != null;
  }

  /**
   * @param tenant null: there is none any more
   */
  Outcome attach(
      Timeline timeline,
      @Nullable Tenant tenant,
      List<ShardId> shards,
      List<Attach> attaches,
      Credentials credentials) {
    List<String> accepted =
        tokens.accepted(
            tenant,
            Objects.requireNonNull(credentials.token(), "no attachment without a token"),
            clock.instant());
    Map<Integer, Refusal> failures = new HashMap<>();
    Timeline current =
        raise(timeline, shards, attaches.stream().filter(Attach::raise).toList(), failures);
    List<Attach> late = new ArrayList<>();
    for (Tried tried : make(current, shards, without(attaches, failures), accepted, credentials)) {
      StatusRuntimeException failure = tried.failure();
      if (failure != null) {
        if (failure.getStatus().getCode() == Status.Code.ABORTED && !tried.attach().raise()) {
          late.add(tried.attach());
        } else {
          failures.put(tried.attach().shard(), failure(timeline, tried.attach().pod(), failure));
        }
      }
    }
    if (!late.isEmpty()) {
      // What was written down before has been overtaken.
      current = raise(current, shards, late, failures);
      for (Tried tried : make(current, shards, without(late, failures), accepted, credentials)) {
        if (tried.failure() != null) {
          failures.put(
              tried.attach().shard(), failure(timeline, tried.attach().pod(), tried.failure()));
        }
      }
    }
    for (Attach attach : without(attaches, failures)) {
      handOverSince.remove(shards.get(attach.shard()));
    }
    poll(attaches.stream().map(Attach::pod).toList());
    return new Outcome(current, failures);
  }

  private static List<Attach> without(List<Attach> attaches, Map<Integer, Refusal> failures) {
    return attaches.stream().filter(a -> !failures.containsKey(a.shard())).toList();
  }

  /** Writes the next generations down: above the status's and above what the store has seen. */
  private Timeline raise(
      Timeline timeline,
      List<ShardId> shards,
      List<Attach> attaches,
      Map<Integer, Refusal> failures) {
    Map<Attach, Integer> generations = new LinkedHashMap<>();
    List<Stored> stored =
        Fanout.each(attaches, attach -> stored(timeline, shards.get(attach.shard()), attach.pod()));
    for (int i = 0; i < attaches.size(); i++) {
      Attach attach = attaches.get(i);
      Refusal refusal = stored.get(i).refusal();
      if (refusal != null) {
        failures.put(attach.shard(), refusal);
      } else {
        int seen = stored.get(i).generation();
        ShardAttachment before = TimelinePlanner.attachment(timeline.getStatus(), attach.shard());
        generations.put(attach, Math.max(seen, before == null ? 0 : before.generation()) + 1);
      }
    }
    if (generations.isEmpty()) {
      return timeline;
    }
    timeline.setStatus(TimelinePlanner.raised(timeline, generations));
    return client.resource(timeline).updateStatus();
  }

  private List<Tried> make(
      Timeline timeline,
      List<ShardId> shards,
      List<Attach> attaches,
      List<String> accepted,
      Credentials credentials) {
    return Fanout.each(
        attaches,
        attach -> {
          ShardAttachment written =
              Objects.requireNonNull(
                  TimelinePlanner.attachment(timeline.getStatus(), attach.shard()),
                  "was written down");
          try {
            fleet
                .client(attach.pod())
                .attach(
                    shards.get(attach.shard()),
                    written.generation(),
                    accepted,
                    credentials.access(),
                    isStored(timeline),
                    timeline.getSpec().adopt() != null);
          } catch (StatusRuntimeException e) {
            return new Tried(attach, e);
          }
          if (!attach.why().isEmpty()) {
            boolean _ = events.write(timeline, attached(attach, written, shards.size()));
          }
          return new Tried(attach, null);
        });
  }

  private static Notice attached(Attach attach, ShardAttachment written, int shards) {
    return new Notice(
        false,
        "Attached",
        (shards == 1 ? "" : "shard " + attach.shard() + " ")
            + "attached to "
            + attach.pod().name()
            + " with generation "
            + written.generation()
            + ": "
            + attach.why());
  }

  private void poll(List<PageserverPod> pods) {
    List<Boolean> _ =
        Fanout.each(
            pods.stream().distinct().toList(),
            pod -> {
              fleet.poll(pod);
              return true;
            });
  }

  /** From a pod that was lost and came back, or handed over; if it does not listen, later. */
  void detach(Timeline timeline, ShardId shard, String podUid) {
    PageserverClient pageserver = fleet.client(podUid);
    if (pageserver == null) {
      return;
    }
    try {
      pageserver.detach(shard);
      boolean _ =
          events.write(
              timeline,
              new Notice(false, "Detached", "detached from a pageserver that had it before"));
    } catch (StatusRuntimeException e) {
      if (e.getStatus().getCode() != Status.Code.NOT_FOUND) {
        boolean _ =
            events.write(timeline, new Notice(true, "DetachFailed", PageserverClient.text(e)));
      }
    }
  }

  /**
   * From pods that have another timeline under this one's name, or this one under another name: one
   * that was deleted while they were away.
   */
  void detachMistaken(ShardId shard) {
    fleet
        .mistaken(shard)
        .forEach((podUid, held) -> {
          PageserverClient pageserver = fleet.client(podUid);
          if (pageserver == null) {
            return;
          }
          for (ShardId one : held) {
            try {
              pageserver.detach(one);
              LOG.info("{}: {} was attached still, and is detached", shard, one);
            } catch (StatusRuntimeException e) {
              LOG.info("{}: {} is attached still: {}", shard, one, PageserverClient.text(e));
            }
          }
        });
  }

  private static Refusal failure(Timeline timeline, PageserverPod pod, StatusRuntimeException e) {
    String text = PageserverClient.text(e);
    Status.Code code = e.getStatus().getCode();
    if (code == Status.Code.NOT_FOUND && isStored(timeline)) {
      return missing(text);
    }
    return code == Status.Code.FAILED_PRECONDITION
        ? new Refusal(Refusal.Kind.LAYOUT, text)
        : new Refusal(Refusal.Kind.OTHER, pod.name() + ": " + text);
  }
}
