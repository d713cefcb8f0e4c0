package dev.varve.operator.render;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import dev.varve.crd.SslMode;
import dev.varve.crd.Timeline;
import dev.varve.operator.plan.SourceAccess;
import io.fabric8.kubernetes.api.model.ObjectMetaBuilder;
import io.fabric8.kubernetes.api.model.Secret;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** What is kept of a source is what its slot is dropped with. */
final class SourceSecretTest {
  private static final SourceAccess ACCESS =
      new SourceAccess(
          "2001:db8::1",
          5433,
          "Größe",
          "p\u00e4ss\n",
          "post gres",
          SslMode.VERIFY_FULL,
          "slot_1",
          false,
          0,
          false);

  private static Secret secret() {
    Timeline timeline = new Timeline();
    timeline.setMetadata(
        new ObjectMetaBuilder().withNamespace("shop").withName("orders").withUid("u-1").build());
    return SourceSecret.of(timeline, "varve", ACCESS);
  }

  @Test
  void isReadAsItWasWritten() {
    Secret secret = secret();
    assertEquals("varve-source-u-1", secret.getMetadata().getName());
    assertEquals("varve", secret.getMetadata().getNamespace());
    assertEquals(
        Map.of("varve.dev/namespace", "shop", "varve.dev/timeline", "orders"),
        secret.getMetadata().getAnnotations());
    assertEquals(ACCESS, SourceSecret.access(secret));
  }

  @Test
  void isNothingWhenSomethingIsMissing() {
    assertNull(SourceSecret.access(null));
    for (String key : secret().getData().keySet()) {
      Secret secret = secret();
      Map<String, String> data = new HashMap<>(secret.getData());
      data.remove(key);
      secret.setData(data);
      assertNull(SourceSecret.access(secret), key);
    }
  }
}
