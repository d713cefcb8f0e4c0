package dev.varve.operator.render;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.Secret;
import io.fabric8.kubernetes.api.model.SecretBuilder;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A Secret in the operator's namespace that keeps something of a Tenant or a Timeline: one for each
 * component, named by the resource's uid, with the resource's namespace and name as annotations.
 */
public final class OperatorSecret {
  public static final String COMPONENT = "app.kubernetes.io/component";

  private static final String PREFIX = "varve.dev/";
  private static final String NAMESPACE = PREFIX + "namespace";

  private OperatorSecret() {}

  public static String name(String component, HasMetadata resource) {
    return "varve-" + component + "-" + resource.getMetadata().getUid();
  }

  /**
   * @param namespace the operator's
   * @param data texts by key
   */
  static Secret of(
      String component, HasMetadata resource, String namespace, Map<String, String> data) {
    Map<String, String> encoded = new LinkedHashMap<>();
    data.forEach((key, text) -> encoded.put(key, TokenSecret.encoded(text)));
    return new SecretBuilder()
        .withNewMetadata()
        .withName(name(component, resource))
        .withNamespace(namespace)
        .addToLabels(TimelineObjects.OWNED)
        .addToLabels(COMPONENT, component)
        .addToAnnotations(NAMESPACE, resource.getMetadata().getNamespace())
        .addToAnnotations(nameKey(resource.getKind()), resource.getMetadata().getName())
        .endMetadata()
        .withType("Opaque")
        .withData(encoded)
        .build();
  }

  /** The namespace of its resource; null: it is not as it was written, as for the name. */
  public static @Nullable String resourceNamespace(Secret secret) {
    return annotation(secret, NAMESPACE);
  }

  public static @Nullable String resourceName(Secret secret, String kind) {
    return annotation(secret, nameKey(kind));
  }

  private static String nameKey(String kind) {
    return PREFIX + kind.toLowerCase(Locale.ROOT);
  }

  private static @Nullable String annotation(Secret secret, String key) {
    Map<String, String> annotations = secret.getMetadata().getAnnotations();
    return annotations == null ? null : annotations.get(key);
  }
}
