package dev.varve.operator;

import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithDefault;
import java.time.Duration;

/**
 * The settings, each also an environment variable ({@code VARVE_OPERATOR_GRACE}). Which namespaces
 * are watched is {@code QUARKUS_OPERATOR_SDK_NAMESPACES}.
 */
@ConfigMapping(prefix = "varve.operator")
public interface OperatorConfig {
  /** Where the pageservers' pods and the management Secret are. */
  @WithDefault("varve")
  String namespace();

  /** Labels of the pageservers' pods. */
  @WithDefault("app.kubernetes.io/name=varve,app.kubernetes.io/component=pageserver")
  String pageserverSelector();

  /** The Secret in {@link #namespace} whose key {@code token} manages the pageservers. */
  @WithDefault("varve-management")
  String managementSecret();

  /** How long a pageserver that is not ready, or does not answer, keeps its shards. */
  @WithDefault("10s")
  Duration grace();

  /** How often the pageservers are asked for their timelines. */
  @WithDefault("2s")
  Duration pollInterval();

  /** How long the token before reads still, after a tenant's token was changed. */
  @WithDefault("15m")
  Duration tokenOverlap();

  /** How long the deletion of a Timeline tries to drop its slot at a source that fails. */
  @WithDefault("60s")
  Duration slotDropTimeout();
}
