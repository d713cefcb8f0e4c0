package dev.varve.engine.tenant;

import dev.varve.engine.PageserverException;
import java.util.regex.Pattern;

/**
 * A timeline's name and its tenant's: each 1 to 63 lower-case letters, digits and inner hyphens, as
 * Kubernetes names are (RFC 1123 labels).
 */
public record TimelineId(String tenant, String timeline) {
  private static final Pattern LABEL = Pattern.compile("[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?");

  /**
   * @throws PageserverException.InvalidRequest when a name is not such a label
   */
  public TimelineId {
    require("tenant", tenant);
    require("timeline", timeline);
  }

  private static void require(String what, String name) {
    if (!LABEL.matcher(name).matches()) {
      throw new PageserverException.InvalidRequest(
          what + " '" + name + "' is not 1 to 63 lower-case letters, digits and inner hyphens");
    }
  }

  /** Where the timeline's objects are, with a slash at the end. */
  public String objectPrefix() {
    return "tenants/" + tenant + "/timelines/" + timeline + "/";
  }

  /** {@code tenant/timeline}. */
  @Override
  public String toString() {
    return tenant + "/" + timeline;
  }
}
