package dev.varve.crd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;

import io.fabric8.kubernetes.api.model.apiextensions.v1.JSONSchemaProps;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;

/** The shipped definitions are those that the types make, and explain every field. */
final class CrdFilesTest {
  /** {@code -Dvarve.golden=renew} writes the shipped files anew. */
  @ParameterizedTest
  @FieldSource("dev.varve.crd.CrdFiles#PLURALS")
  void shippedFileIsTheGeneratedOne(String plural) throws IOException {
    String generated = CrdFiles.yaml(CrdFiles.generated(plural));
    Path shipped = CrdFiles.shipped(plural);
    if ("renew".equals(System.getProperty("varve.golden"))) {
      Files.createDirectories(shipped.getParent());
      Files.writeString(shipped, generated);
    }
    assertEquals(Files.readString(shipped), generated, "renew it with -Dvarve.golden=renew");
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
