package dev.varve.crd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;

import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinition;
import io.fabric8.kubernetes.api.model.apiextensions.v1.JSONSchemaProps;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;

/**
 * The shipped definitions and their reference are what the types make, and every field is
 * explained.
 */
final class CrdFilesTest {
  @ParameterizedTest
  @FieldSource("dev.varve.crd.CrdFiles#PLURALS")
  void shippedFileIsTheGeneratedOne(String plural) throws IOException {
    same(CrdFiles.shipped(plural), CrdFiles.yaml(CrdFiles.generated(plural)));
  }

  @ParameterizedTest
  @FieldSource("dev.varve.crd.CrdFiles#PLURALS")
  void referenceSaysWhatTheDefinitionSays(String plural) throws IOException {
    CustomResourceDefinition crd = CrdFiles.generated(plural);
    same(CrdReference.document(crd), CrdReference.markdown(crd));
  }

  /** {@code -Dvarve.golden=renew} writes the files anew. */
  private static void same(Path file, String generated) throws IOException {
    if ("renew".equals(System.getProperty("varve.golden"))) {
      Files.createDirectories(file.getParent());
      Files.writeString(file, generated);
    }
    assertEquals(
        generated,
        Files.exists(file) ? Files.readString(file) : "",
        () -> "renew " + file + ": ./mvnw -Dfast -pl crds test -Dvarve.golden=renew");
  }

  @ParameterizedTest
  @FieldSource("dev.varve.crd.CrdFiles#PLURALS")
  void everyFieldIsExplained(String plural) throws IOException {
    CrdFiles.generated(plural)
        .getSpec()
        .getVersions()
        .forEach(v -> explained(plural, v.getSchema().getOpenAPIV3Schema()));
  }

  private static void explained(String path, JSONSchemaProps schema) {
    assertNotNull(schema.getDescription(), path + " has no description");
    if (schema.getProperties() != null) {
      schema.getProperties().forEach((name, child) -> explained(path + "." + name, child));
    }
    if (schema.getItems() != null && schema.getItems().getSchema().getProperties() != null) {
      schema
          .getItems()
          .getSchema()
          .getProperties()
          .forEach((name, child) -> explained(path + "[]." + name, child));
    }
  }

  @Test
  void sslModesAreLibpqs() {
    assertEquals("verify-full", SslMode.VERIFY_FULL.text());
  }
}
