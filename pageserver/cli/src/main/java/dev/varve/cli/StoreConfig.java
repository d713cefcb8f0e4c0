package dev.varve.cli;

import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithDefault;
import java.time.Duration;
import java.util.Optional;

/**
 * How a bucket is reached: the settings of a pageserver, under the same names, from the same places
 * (system properties, environment, {@code config/application.properties}).
 */
@ConfigMapping(prefix = "varve.s3")
interface StoreConfig {
  Optional<String> endpoint();

  @WithDefault("us-east-1")
  String region();

  @WithDefault("false")
  boolean pathStyle();

  Optional<String> accessKey();

  Optional<String> secretKey();

  @WithDefault("20s")
  Duration progressTimeout();
}
