package dev.varve.operator.reconcile;

import dev.varve.crd.Tenant;
import dev.varve.operator.pageserver.Fleet;
import dev.varve.operator.pageserver.PageserverClient;
import dev.varve.operator.plan.PageserverPod;
import dev.varve.operator.plan.Report;
import dev.varve.operator.plan.Sha256;
import dev.varve.operator.plan.ShardId;
import dev.varve.operator.plan.TenantPlanner;
import dev.varve.operator.plan.TokenRecord;
import dev.varve.operator.render.TokenRecordSecret;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Hands the tokens of a tenant to every pageserver that has a timeline of it, and keeps a {@link
 * TokenRecord} of them in the operator's namespace. Any thread; each tenant on one at a time.
 */
final class TenantTokens {
  private static final Logger LOG = LoggerFactory.getLogger(TenantTokens.class);

  private final OperatorSecrets<Tenant> secrets;
  private final Fleet fleet;
  private final String namespace;

  /** What is known to be kept, by uid of the Tenant. */
  private final Map<String, TokenRecord> kept = new ConcurrentHashMap<>();

  /** One shard on one pod that reads with other tokens than it should. */
  private record Outdated(PageserverPod pod, ShardId shard) {}

  /**
   * What was done.
   *
   * @param record what is accepted now
   * @param changed whether the token of the Secret is a new one
   * @param failed whether a pageserver could not be reached
   */
  record Outcome(TokenRecord record, boolean changed, boolean failed) {}

  TenantTokens(KubernetesClient client, Fleet fleet, String namespace) {
    this.secrets =
        new OperatorSecrets<>(client, namespace, Tenant.class, TokenRecordSecret.COMPONENT);
    this.fleet = fleet;
    this.namespace = namespace;
  }

  /** Brings record and pageservers to what the Secret says. */
  Outcome apply(Tenant tenant, String token, Instant now, Duration overlap) {
    String uid = tenant.getMetadata().getUid();
    TokenRecord known = kept.get(uid);
    TokenRecord before = known == null ? record(tenant) : known;
    TokenRecord record = TokenRecord.next(before, Sha256.hex(token), now, overlap);
    if (!record.equals(before)) {
      secrets.apply(TokenRecordSecret.of(tenant, namespace, record));
    }
    kept.put(uid, record);
    boolean changed = before != null && !before.current().equals(record.current());
    return new Outcome(record, changed, !distribute(tenant, record.accepted()));
  }

  /**
   * What a new attachment is to accept, the newest first: the token of the Secret, and the one that
   * it replaces, though the Tenant may not have been looked at since.
   */
  List<String> accepted(@Nullable Tenant tenant, String token, Instant now) {
    TokenRecord before = null;
    try {
      before = tenant == null ? null : record(tenant);
    } catch (KubernetesClientException e) {
      LOG.info("the token before is distributed later: {}", e.getMessage());
    }
    // The overlap is written down when the Tenant is looked at; any that is left will do here.
    return TokenRecord.next(before, Sha256.hex(token), now, Duration.ofMinutes(1)).accepted();
  }

  private @Nullable TokenRecord record(Tenant tenant) {
    return TokenRecordSecret.record(secrets.get(tenant));
  }

  /** To all at once; false when one could not be reached. */
  private boolean distribute(Tenant tenant, List<String> accepted) {
    String prefix =
        TenantPlanner.tenantId(tenant.getMetadata().getNamespace(), tenant.getMetadata().getName())
            + "/";
    List<Outdated> outdated = new ArrayList<>();
    for (PageserverPod pod : fleet.pods()) {
      Map<String, Report> reports = Objects.requireNonNullElse(fleet.reports(pod.uid()), Map.of());
      reports.forEach((id, report) -> {
        if (id.startsWith(prefix) && !report.tokens().equals(accepted)) {
          outdated.add(new Outdated(pod, ShardId.parse(id)));
        }
      });
    }
    List<Boolean> reached = Fanout.each(outdated, one -> set(one, accepted));
    List<Boolean> _ =
        Fanout.each(
            outdated.stream().map(Outdated::pod).distinct().toList(),
            pod -> {
              fleet.poll(pod);
              return true;
            });
    return !reached.contains(false);
  }

  private boolean set(Outdated one, List<String> accepted) {
    try {
      fleet.client(one.pod()).setReadTokens(one.shard(), accepted);
      return true;
    } catch (StatusRuntimeException e) {
      Status.Code code = e.getStatus().getCode();
      if (code == Status.Code.NOT_FOUND || code == Status.Code.UNIMPLEMENTED) {
        return true; // detached meanwhile, or a version that takes tokens with attachments only
      }
      LOG.info(
          "{} has not got the tokens of {} yet: {}",
          one.pod().name(),
          one.shard(),
          PageserverClient.text(e));
      return false;
    }
  }

  /** Forgets a Tenant that is about to be gone. */
  void remove(Tenant tenant) {
    kept.remove(tenant.getMetadata().getUid());
    secrets.remove(tenant);
  }

  /** Removes the records of Tenants that went without their deletion. */
  void sweep() {
    secrets.sweep();
  }
}
