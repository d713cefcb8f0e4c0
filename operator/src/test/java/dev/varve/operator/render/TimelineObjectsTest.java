package dev.varve.operator.render;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.crd.Tenant;
import dev.varve.crd.Timeline;
import dev.varve.crd.TimelineSpec;
import dev.varve.operator.plan.PageserverPod;
import io.fabric8.kubernetes.api.model.ObjectMetaBuilder;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.discovery.v1.EndpointSlice;
import io.fabric8.kubernetes.client.utils.Serialization;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Instant;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Golden files of what the operator owns; {@code -Dvarve.golden=renew} writes them anew. */
final class TimelineObjectsTest {
  private static final Path GOLDEN = Path.of("src/test/resources/dev/varve/operator/render");
  private static final PageserverPod POD =
      new PageserverPod(
          "ps-0", "uid-0", "node-1", "10.0.0.7", Map.of(), true, Instant.EPOCH, false, null);

  private final Timeline timeline = new Timeline();

  TimelineObjectsTest() {
    timeline.setMetadata(
        new ObjectMetaBuilder()
            .withNamespace("shop")
            .withName("orders")
            .withUid("3f0c0e3e-0000-4000-8000-000000000001")
            .build());
    timeline.setSpec(new TimelineSpec("acme", null, null));
  }

  private static void assertGolden(String name, Object actual) throws IOException {
    Path file = GOLDEN.resolve(name);
    String yaml = Serialization.asYaml(actual);
    if ("renew".equals(System.getProperty("varve.golden"))) {
      Files.createDirectories(GOLDEN);
      Files.writeString(file, yaml);
    }
    assertEquals(Files.readString(file), yaml, "renew it with -Dvarve.golden=renew");
  }

  @Test
  void service() throws IOException {
    Service service = TimelineObjects.service(timeline, 1);
    Service sharded = TimelineObjects.service(timeline, 2);
    assertGolden("service.yaml", service);
    assertGolden("service-sharded.yaml", sharded);
    assertFalse(TimelineObjects.isAsWanted((Service) null, service));
    assertFalse(TimelineObjects.isAsWanted(service, sharded));
    service.getSpec().setSelector(Map.of());
    assertTrue(TimelineObjects.isAsWanted(service, TimelineObjects.service(timeline, 1)));
  }

  @Test
  void endpoints() throws IOException {
    EndpointSlice served = TimelineObjects.endpoints(timeline, 0, POD);
    EndpointSlice none = TimelineObjects.endpoints(timeline, 0, null);
    EndpointSlice next = TimelineObjects.endpoints(timeline, 1, POD);
    assertGolden("endpoints.yaml", served);
    assertGolden("endpoints-none.yaml", none);
    assertGolden("endpoints-next-shard.yaml", next);
    assertTrue(TimelineObjects.isAsWanted(served, TimelineObjects.endpoints(timeline, 0, POD)));
    assertFalse(TimelineObjects.isAsWanted(served, none));
    assertFalse(TimelineObjects.isAsWanted(served, next));
  }

  @Test
  void token() throws IOException {
    Tenant tenant = new Tenant();
    tenant.setMetadata(
        new ObjectMetaBuilder()
            .withNamespace("shop")
            .withName("acme")
            .withUid("3f0c0e3e-0000-4000-8000-000000000002")
            .build());
    assertGolden("token.yaml", TokenSecret.of(tenant, "not-a-random-one"));
    assertEquals(
        "not-a-random-one",
        TokenSecret.value(TokenSecret.of(tenant, "not-a-random-one"), TokenSecret.KEY));
    SecureRandom random = new SecureRandom();
    assertEquals(43, TokenSecret.random(random).length());
    assertNotEquals(TokenSecret.random(random), TokenSecret.random(random));
  }
}
