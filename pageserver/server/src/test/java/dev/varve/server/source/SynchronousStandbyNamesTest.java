package dev.varve.server.source;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class SynchronousStandbyNamesTest {
  private static final String NAME = "varve acme/main";

  @ParameterizedTest
  @ValueSource(
      strings = {
        "*",
        "ANY 1 (*)",
        "FIRST 2 (a, *)",
        "2(a,*)",
        "\"varve acme/main\"",
        "a, \"Varve Acme/Main\"",
        "any 1 (\"varve acme/main\",b)"
      })
  void counts(String value) {
    assertTrue(SynchronousStandbyNames.count(value, NAME));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "a",
        "ANY 1 (a, b)",
        "\"varve acme/other\"",
        "varve, acme",
        "\"va\"\"rve acme/main\"",
        "\"*a\""
      })
  void doesNotCount(String value) {
    assertFalse(SynchronousStandbyNames.count(value, NAME));
  }
}
