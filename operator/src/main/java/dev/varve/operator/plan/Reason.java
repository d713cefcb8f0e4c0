package dev.varve.operator.plan;

import java.util.Set;

/**
 * Why a condition is as it is, in one word for programs. {@code docs/operations/conditions.md} says
 * of each what it means and what to do; a test holds the two together.
 */
public enum Reason {
  Placed(Kind.TENANT_READY),
  NoPageserver(Kind.TENANT_READY, Kind.TENANT_STORE),

  Serving(Kind.TIMELINE_READY),
  Moving(Kind.TIMELINE_READY),
  TenantMissing(Kind.TIMELINE_READY),
  NotPlaced(Kind.TIMELINE_READY),
  NoToken(Kind.TIMELINE_READY),
  Attaching(Kind.TIMELINE_READY),
  Loading(Kind.TIMELINE_READY),
  Copying(Kind.TIMELINE_READY),
  CatchingUp(Kind.TIMELINE_READY),
  AttachRefused(Kind.TIMELINE_READY),
  AdoptionRefused(Kind.TIMELINE_READY),
  LayoutDiffers(Kind.TIMELINE_READY),
  Broken(Kind.TIMELINE_READY),

  Connecting(Kind.SOURCE_REACHABLE),
  Receiving(Kind.SOURCE_REACHABLE),
  NotAttached(Kind.SOURCE_REACHABLE, Kind.TIMELINE_STORE),
  Stopped(Kind.SOURCE_REACHABLE),

  Reachable(Kind.TENANT_STORE, Kind.TIMELINE_STORE),
  StoreUnreachable(Kind.TENANT_STORE, Kind.TIMELINE_STORE),
  StoreThrottled(Kind.TENANT_STORE, Kind.TIMELINE_STORE),
  StoreRefused(Kind.TENANT_STORE, Kind.TIMELINE_STORE),
  ObjectsMissing(Kind.TENANT_STORE, Kind.TIMELINE_STORE),

  PageserverNotReady(Kind.TENANT_READY, Kind.TIMELINE_READY),
  Deleting(Kind.TENANT_READY, Kind.TIMELINE_READY),
  NameTaken(Kind.TENANT_READY, Kind.TIMELINE_READY),
  InvalidSpec(Kind.TENANT_READY, Kind.TIMELINE_READY, Kind.SOURCE_REACHABLE),
  SecretUnreadable(Kind.TENANT_READY, Kind.TIMELINE_READY, Kind.SOURCE_REACHABLE),
  SecretMissing(Kind.TIMELINE_READY, Kind.SOURCE_REACHABLE),
  SourceFailing(Kind.TIMELINE_READY, Kind.SOURCE_REACHABLE),
  SourceFull(Kind.TIMELINE_READY, Kind.SOURCE_REACHABLE);

  /** A condition of a kind of resource. */
  enum Kind {
    TENANT_READY("Tenant", "Ready"),
    TIMELINE_READY("Timeline", "Ready"),
    SOURCE_REACHABLE("Timeline", "SourceReachable"),
    TENANT_STORE("Tenant", "StoreReachable"),
    TIMELINE_STORE("Timeline", "StoreReachable");

    private final String resource;
    private final String type;

    Kind(String resource, String type) {
      this.resource = resource;
      this.type = type;
    }

    String resource() {
      return resource;
    }

    /** The condition's type. */
    String type() {
      return type;
    }
  }

  @SuppressWarnings("ImmutableEnumChecker") // Set.of makes one that is immutable.
  private final Set<Kind> kinds;

  Reason(Kind... kinds) {
    this.kinds = Set.of(kinds);
  }

  /** Whether the condition may have it. */
  boolean isOf(Kind condition) {
    return kinds.contains(condition);
  }
}
