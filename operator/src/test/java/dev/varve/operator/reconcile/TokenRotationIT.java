package dev.varve.operator.reconcile;

import static dev.varve.operator.reconcile.TestCluster.SHOP;
import static dev.varve.operator.reconcile.TestCluster.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.ByteString;
import dev.varve.api.v1.AttachTimelineRequest;
import dev.varve.crd.ShardAttachment;
import dev.varve.operator.plan.Sha256;
import dev.varve.operator.render.TokenRecordSecret;
import dev.varve.operator.render.TokenSecret;
import io.fabric8.kubernetes.api.model.Secret;
import io.fabric8.kubernetes.client.dsl.Resource;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** The tokens that pageservers accept when a tenant's token is changed. */
@ExtendWith(SharedCluster.Resolver.class)
final class TokenRotationIT {
  private static TestCluster cluster;

  @BeforeAll
  static void find(SharedCluster shared) {
    cluster = shared.cluster();
  }

  /**
   * Deleted or replaced: readers with the token before are served for a while, by every pageserver
   * that has a shard, and nothing is attached anew.
   */
  @Test
  void aTokenIsRotatedWithAnOverlapByDeletingOrReplacingItsSecret() throws Exception {
    cluster.pageserver("rotating-0", "10.9.3.1");
    cluster.pageserver("rotating-1", "10.9.3.2");
    cluster.tenant("rotating", 2);
    cluster.timeline("turning", "rotating", null);
    await("served", () -> cluster.isReady("turning"));
    Resource<Secret> secret =
        cluster.admin.secrets().inNamespace(SHOP).withName(TokenSecret.name("rotating"));
    List<Integer> generations = generations("turning");
    String made = TokenSecret.value(secret.get(), TokenSecret.KEY);
    await("the first token", () -> isReadWith("rotating", made));

    secret.delete();
    await("another Secret", () -> secret.get() != null);
    String anew = TokenSecret.value(secret.get(), TokenSecret.KEY);
    assertNotEquals(made, anew);
    await("both tokens", () -> isReadWith("rotating", anew, made));
    await("the new one alone", () -> isReadWith("rotating", anew));

    secret.edit(s -> {
      s.setData(null);
      s.setStringData(Map.of(TokenSecret.KEY, "chosen\n"));
      return s;
    });
    await("the chosen one and the one before", () -> isReadWith("rotating", "chosen", anew));
    assertEquals(Set.of(TokenSecret.KEY), secret.get().getData().keySet());
    assertEquals(generations, generations("turning"));
    assertTrue(
        cluster.admin.v1().events().inNamespace(SHOP).list().getItems().stream()
            .anyMatch(e ->
                e.getReason().equals("TokenChanged")
                    && e.getInvolvedObject().getName().equals("rotating")));

    cluster.delete(cluster.timeline("turning"));
    await("gone", () -> cluster.timeline("turning") == null);
    String record = TokenRecordSecret.name(cluster.tenant("rotating"));
    assertNotNull(cluster.admin.secrets().inNamespace("varve").withName(record).get());
    cluster.admin.resource(cluster.tenant("rotating")).delete();
    await(
        "no record",
        () -> cluster.admin.secrets().inNamespace("varve").withName(record).get() == null);
    cluster.remove("rotating-0");
    cluster.remove("rotating-1");
  }

  private static List<Integer> generations(String timeline) {
    return cluster.timeline(timeline).getStatus().shards().stream()
        .map(ShardAttachment::generation)
        .toList();
  }

  /** Whether both shards are, on whatever pods they are. */
  private static boolean isReadWith(String tenant, String... tokens) {
    List<AttachTimelineRequest> attached =
        cluster.attached().stream().filter(a -> a.getTenant().equals(SHOP + "." + tenant)).toList();
    return attached.size() == 2
        && attached.stream()
            .allMatch(a ->
                a.getTokenSha256().equals(hash(tokens[0]))
                    && a.getPreviousTokenSha256()
                        .equals(tokens.length == 1 ? ByteString.EMPTY : hash(tokens[1])));
  }

  private static ByteString hash(String token) {
    return ByteString.copyFrom(Sha256.of(token));
  }
}
