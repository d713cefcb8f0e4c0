package dev.varve.crd;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceColumnDefinition;
import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinition;
import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinitionVersion;
import io.fabric8.kubernetes.api.model.apiextensions.v1.JSONSchemaProps;
import io.fabric8.kubernetes.client.utils.Serialization;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;

/**
 * The CustomResourceDefinitions as they are shipped in {@code deploy/base/crd}: what the generator
 * makes of the types, with what it has no annotation for: the order of the printer columns, the
 * texts of the three uppermost levels, and defaults in the descriptions, which {@code kubectl
 * explain} shows nowhere else.
 */
final class CrdFiles {
  static final List<String> PLURALS = List.of("tenants", "timelines");

  private static final List<String> COLUMNS =
      List.of(
          "Tenant",
          "Ready",
          "Reason",
          "Source",
          "Store",
          "PostgreSQL",
          "Timelines",
          "Published",
          "Lag",
          "Retained",
          "Pageserver",
          "Address",
          "Age");

  private CrdFiles() {}

  /** Where the shipped file is, from this module's directory. */
  static Path shipped(String plural) {
    return Path.of("..", "deploy", "base", "crd", plural + ".varve.dev.yaml");
  }

  static CustomResourceDefinition generated(String plural) throws IOException {
    String name = "/META-INF/varve/" + plural + ".varve.dev-v1.yml";
    try (InputStream in =
        Objects.requireNonNull(CrdFiles.class.getResourceAsStream(name), "generated " + name)) {
      return finish(Serialization.unmarshal(in, CustomResourceDefinition.class));
    }
  }

  private static CustomResourceDefinition finish(CustomResourceDefinition crd) {
    crd.getSpec().getNames().setCategories(List.of("varve"));
    for (CustomResourceDefinitionVersion version : crd.getSpec().getVersions()) {
      version
          .getAdditionalPrinterColumns()
          .sort(Comparator.comparingInt((CustomResourceColumnDefinition c) -> place(c.getName())));
      JSONSchemaProps root = version.getSchema().getOpenAPIV3Schema();
      boolean tenant = crd.getSpec().getNames().getKind().equals("Tenant");
      root.setDescription(
          tenant
              ? "The owner of timelines: which pageservers keep them, and the token that reads them."
              : "One history of one PostgreSQL cluster, which databases in its namespace start from. An"
                  + " LSN is a position in its WAL.");
      root.getProperties().get("spec").setDescription("What is wanted.");
      root.getProperties().get("status").setDescription("What the operator found and did.");
      if (tenant) {
        // A Tenant without a spec is a valid one: the defaults below are to be filled in all the
        // same.
        root.getProperties().get("spec").setDefault(JsonNodeFactory.instance.objectNode());
        bound(root.getProperties().get("spec").getProperties().get("placement"));
      }
      once(root);
      sayDefaults(root);
    }
    return crd;
  }

  private static void sayDefaults(JSONSchemaProps schema) {
    if (schema.getDefault() != null && schema.getDefault().isValueNode()) {
      schema.setDescription(
          schema.getDescription() + " Default: " + schema.getDefault().asText() + ".");
    }
    if (schema.getProperties() != null) {
      schema.getProperties().values().forEach(CrdFiles::sayDefaults);
    }
  }

  /** A rule of a record's component is one of its field and of its accessor. */
  private static void once(JSONSchemaProps schema) {
    if (schema.getXKubernetesValidations() != null) {
      schema.setXKubernetesValidations(
          schema.getXKubernetesValidations().stream().distinct().toList());
    }
    if (schema.getProperties() != null) {
      schema.getProperties().values().forEach(CrdFiles::once);
    }
  }

  /** Labels are few and short: else the API server takes a rule about them for too costly. */
  private static void bound(JSONSchemaProps placement) {
    JSONSchemaProps labels = placement.getProperties().get("pageserverLabels");
    labels.setMaxProperties(16L);
    labels.getAdditionalProperties().getSchema().setMaxLength(63L);
  }

  private static int place(String column) {
    int place = COLUMNS.indexOf(column);
    if (place < 0) {
      throw new IllegalStateException("printer column " + column + " has no place yet");
    }
    return place;
  }

  static String yaml(CustomResourceDefinition crd) {
    return "# Generated from the Java types in crds/; see docs/testing.md for how to renew it.\n"
        + Serialization.asYaml(crd);
  }
}
