package dev.varve.operator.reconcile;

import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinition;
import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinitionVersion;
import io.fabric8.kubernetes.api.model.apiextensions.v1.JSONSchemaProps;
import io.fabric8.kubernetes.api.model.apiextensions.v1.JSONSchemaPropsBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Definitions that take anything, as before there were rules; those that they replaced come back.
 */
final class LaxDefinitions implements AutoCloseable {
  private static final JSONSchemaProps ANYTHING =
      new JSONSchemaPropsBuilder()
          .withType("object")
          .withXKubernetesPreserveUnknownFields(true)
          .build();

  private final KubernetesClient admin;
  private final Map<String, JSONSchemaProps> strict = new HashMap<>();

  LaxDefinitions(KubernetesClient admin) {
    this.admin = admin;
    for (String name : List.of("tenants.varve.dev", "timelines.varve.dev")) {
      strict.put(name, replace(name, ANYTHING));
    }
  }

  /** Returns what was there. */
  private JSONSchemaProps replace(String name, JSONSchemaProps schema) {
    var definition = admin.apiextensions().v1().customResourceDefinitions().withName(name);
    JSONSchemaProps before = version(definition.get()).getSchema().getOpenAPIV3Schema();
    CustomResourceDefinition _ =
        definition.edit(crd -> {
          version(crd).getSchema().setOpenAPIV3Schema(schema);
          return crd;
        });
    return before;
  }

  private static CustomResourceDefinitionVersion version(CustomResourceDefinition definition) {
    return definition.getSpec().getVersions().getFirst();
  }

  @Override
  public void close() {
    strict.forEach(this::replace);
  }
}
