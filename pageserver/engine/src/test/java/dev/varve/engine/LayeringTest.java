package dev.varve.engine;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.lang.ArchRule;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The engine's packages depend one way, and on no framework. */
final class LayeringTest {
  /** Lowest first. */
  private static final List<String> PACKAGES =
      List.of(
          "store",
          "bytes",
          "postgres",
          "wal",
          "layer",
          "redo",
          "tree",
          "read",
          "catalog",
          "ingest",
          "work",
          "timeline",
          "tenant",
          "image",
          "check");

  private static final JavaClasses CLASSES =
      new ClassFileImporter()
          .withImportOption(new ImportOption.DoNotIncludeTests())
          .importPackages("dev.varve.engine");

  @Test
  void packagesDependOnLowerOnesOnly() {
    for (int lower = 0; lower < PACKAGES.size(); lower++) {
      for (int higher = lower + 1; higher < PACKAGES.size(); higher++) {
        ArchRule rule =
            noClasses()
                .that()
                .resideInAPackage("dev.varve.engine." + PACKAGES.get(lower))
                .should()
                .dependOnClassesThat()
                .resideInAPackage("dev.varve.engine." + PACKAGES.get(higher));
        rule.check(CLASSES);
      }
    }
  }

  @Test
  void theEngineKnowsNoFramework() {
    noClasses()
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage(
            "io.quarkus..",
            "jakarta..",
            "io.grpc..",
            "com.google.protobuf..",
            "software.amazon..",
            "org.postgresql..")
        .check(CLASSES);
  }
}
