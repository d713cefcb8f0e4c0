package dev.varve.server.http;

import dev.varve.engine.PageserverException.InvalidRequest;
import dev.varve.engine.tenant.TimelineId;
import dev.varve.engine.tenant.TimelineName;
import dev.varve.server.attachment.AttachTarget;
import dev.varve.server.source.SourceSettings;
import dev.varve.server.source.SslMode;
import dev.varve.server.source.WalRetention;
import org.jspecify.annotations.Nullable;

/**
 * The JSON of an attach request: the primary, or nothing to serve what the object store holds. All
 * but the host have defaults.
 *
 * @param timelineId the timeline that the name is to lead to, which is there already; null: the one
 *     that it leads to, or a new one
 */
public record AttachBody(@Nullable Primary primary, @Nullable String timelineId) {
  /** As {@code PrimarySource} of the gRPC contract. */
  public record Primary(
      @Nullable String host,
      int port,
      @Nullable String user,
      @Nullable String password,
      @Nullable String database,
      @Nullable String sslMode,
      @Nullable String slot,
      boolean synchronous,
      long maxRetainedWalBytes,
      @Nullable String retainedWalAction) {}

  AttachTarget target() {
    return timelineId == null
        ? AttachTarget.BY_NAME
        : new AttachTarget(new TimelineId(timelineId), true);
  }

  @Nullable SourceSettings source(TimelineName id) {
    if (primary == null) {
      return null;
    }
    return SourceSettings.of(
            id,
            text(primary.host()),
            primary.port(),
            text(primary.user()),
            text(primary.password()),
            text(primary.database()),
            SslMode.of(text(primary.sslMode())),
            text(primary.slot()))
        .with(
            primary.synchronous(),
            new WalRetention(
                primary.maxRetainedWalBytes(), dropsSlot(text(primary.retainedWalAction()))));
  }

  private static boolean dropsSlot(String action) {
    return switch (action) {
      case "", "retain" -> false;
      case "dropSlot" -> true;
      default ->
          throw new InvalidRequest(
              "retainedWalAction '" + action + "' is not one of retain, dropSlot");
    };
  }

  private static String text(@Nullable String value) {
    return value == null ? "" : value;
  }
}
