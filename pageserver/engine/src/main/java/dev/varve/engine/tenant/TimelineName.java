package dev.varve.engine.tenant;

import dev.varve.engine.PageserverException;
import dev.varve.engine.catalog.Shard;
import java.util.regex.Pattern;

/**
 * A timeline's name and its tenant's: each 1 to 63 lower-case letters, digits and inner hyphens, as
 * Kubernetes names are (RFC 1123 labels). A tenant's may be two of them with a dot between, the
 * first a namespace. A label only: what it leads to is a {@link TimelineId}.
 *
 * @param shard the part of its pages; {@link Shard#WHOLE} unless the tenant is sharded
 */
public record TimelineName(String tenant, String timeline, Shard shard) {
  private static final String LABEL = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?";
  private static final Pattern TIMELINE = Pattern.compile(LABEL);
  private static final Pattern TENANT = Pattern.compile(LABEL + "(\\." + LABEL + ")?");

  /**
   * @throws PageserverException.InvalidRequest when a name is not such a label
   */
  public TimelineName {
    require("tenant", tenant, TENANT);
    require("timeline", timeline, TIMELINE);
  }

  /** The whole timeline. */
  public TimelineName(String tenant, String timeline) {
    this(tenant, timeline, Shard.WHOLE);
  }

  private static void require(String what, String name, Pattern pattern) {
    if (!pattern.matcher(name).matches()) {
      throw new PageserverException.InvalidRequest(
          what + " '" + name + "' is not 1 to 63 lower-case letters, digits and inner hyphens");
    }
  }

  /** {@code tenant/timeline}, and a shard's {@code tenant/timeline/0-of-2-by-2048}. */
  @Override
  public String toString() {
    return tenant + "/" + timeline + (shard.coversAll() ? "" : "/" + shard);
  }
}
