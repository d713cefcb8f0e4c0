package dev.varve.s3.client;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.URI;
import java.time.Duration;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class S3SettingsTest {
  @ParameterizedTest
  @CsvSource({
    "s3://key:hush@bucket, http://minio:9000",
    "s3://bucket, https://key:hush@minio:9000"
  })
  void credentialsInAnAddressAreNotRepeated(String url, URI endpoint) {
    IllegalArgumentException e =
        assertThrows(
            IllegalArgumentException.class,
            () ->
                S3Settings.of(
                    url, endpoint, "us-east-1", true, null, null, Duration.ofSeconds(20)));
    assertTrue(String.valueOf(e.getMessage()).contains("varve.s3.secret-key"), e::toString);
    assertFalse(e.toString().contains("hush"), e::toString);
  }

  @ParameterizedTest
  @ValueSource(strings = {"minio:9000", "minio.example", "ftp://minio.example", "http:/minio"})
  void anEndpointIsAnAddressOfHttp(String endpoint) {
    IllegalArgumentException e =
        assertThrows(
            IllegalArgumentException.class,
            () ->
                S3Settings.of(
                    "s3://bucket",
                    URI.create(endpoint),
                    "us-east-1",
                    true,
                    null,
                    null,
                    Duration.ofSeconds(20)));
    assertTrue(
        String.valueOf(e.getMessage()).contains("varve.s3.endpoint=" + endpoint), e::toString);
  }
}
