package dev.varve.server.grpc;

import dev.varve.api.v1.AttachTimelineRequest;
import dev.varve.api.v1.DetachTimelineRequest;
import dev.varve.api.v1.PrimarySource;
import dev.varve.api.v1.RelationFork;
import dev.varve.engine.PageserverException.InvalidRequest;
import dev.varve.engine.catalog.Shard;
import dev.varve.engine.postgres.ForkNumber;
import dev.varve.engine.postgres.RelFileLocator;
import dev.varve.engine.redo.ClusterEffects;
import dev.varve.engine.tenant.TimelineId;
import dev.varve.engine.tenant.TimelineName;
import dev.varve.server.attachment.AttachTarget;
import dev.varve.server.attachment.ReadTokens;
import dev.varve.server.attachment.Tenure;
import dev.varve.server.source.SourceSettings;
import dev.varve.server.source.SslMode;
import dev.varve.server.source.WalRetention;
import org.jspecify.annotations.Nullable;

/** Checked readings of request messages; each throws {@link InvalidRequest}. */
final class Requests {
  private Requests() {}

  /**
   * What a read names.
   *
   * @param uid null: whatever has the name
   */
  record ReadTarget(TimelineName id, @Nullable TimelineId uid) {}

  /** {@code tenant/timeline}, or with {@code /shard} behind; either with {@code @id} behind. */
  static ReadTarget read(String name) {
    int at = name.indexOf('@');
    return at < 0
        ? new ReadTarget(timeline(name), null)
        : new ReadTarget(timeline(name.substring(0, at)), uid(name.substring(at + 1)));
  }

  /** Null when it is empty. */
  static @Nullable TimelineId uid(String text) {
    return text.isEmpty() ? null : new TimelineId(text);
  }

  /** A tenant's name. */
  static String tenant(String name) {
    return new TimelineName(name, "any").tenant();
  }

  /** Which timeline an attach request speaks of. */
  static AttachTarget target(AttachTimelineRequest request) {
    return new AttachTarget(uid(request.getTimelineId()), request.getAdopt());
  }

  private static TimelineName timeline(String name) {
    String[] parts = name.split("/", -1);
    if (parts.length != 2 && (parts.length != 3 || parts[2].isEmpty())) {
      throw new InvalidRequest(
          "timeline '" + name + "' is not of the form tenant/timeline or tenant/timeline/shard");
    }
    return timeline(parts[0], parts[1], parts.length == 2 ? "" : parts[2]);
  }

  /** An empty shard is the whole timeline. */
  static TimelineName timeline(String tenant, String timeline, String shard) {
    return new TimelineName(tenant, timeline, shard.isEmpty() ? Shard.WHOLE : Shard.parse(shard));
  }

  static RelFileLocator locator(RelationFork relation) {
    return new RelFileLocator(
        relation.getTablespaceOid(), relation.getDatabaseOid(), relation.getRelationNumber());
  }

  /** Whether it names an SLRU, which has no tablespace. */
  static boolean isSlru(RelationFork relation) {
    return relation.getTablespaceOid() == 0;
  }

  /** The SLRU, numbered as the engine does. */
  static int slru(RelationFork relation) {
    int number = relation.getRelationNumber();
    if (relation.getDatabaseOid() != 0
        || relation.getFork() != 0
        || number < 1
        || number > ClusterEffects.COMMIT_TS + 1) {
      throw new InvalidRequest("without a tablespace it must be an SLRU: number 1 to 4, fork 0");
    }
    return number - 1;
  }

  /** The SLRU as it is named to clients. */
  static int slruNumber(int slru) {
    return slru + 1;
  }

  static int fork(RelationFork relation) {
    int fork = relation.getFork();
    if (fork < 0 || fork >= ForkNumber.COUNT) {
      throw new InvalidRequest("fork " + Integer.toUnsignedString(fork) + "; expected 0 to 3");
    }
    return fork;
  }

  /**
   * The source of an attach request, with the defaults that the contract names; null when there is
   * none.
   */
  static @Nullable SourceSettings source(TimelineName id, AttachTimelineRequest request) {
    return request.hasPrimary() ? source(id, request.getPrimary()) : null;
  }

  /** The source of a detach request, likewise. */
  static @Nullable SourceSettings source(TimelineName id, DetachTimelineRequest request) {
    return request.hasPrimary() ? source(id, request.getPrimary()) : null;
  }

  /** How the timeline of an attach request is held. */
  static Tenure tenure(AttachTimelineRequest request) {
    if (request.getGeneration() < 0) {
      throw new InvalidRequest(
          "generation " + Integer.toUnsignedString(request.getGeneration()) + " is above 2^31 - 1");
    }
    return new Tenure(
        request.getGeneration(),
        request.getStored(),
        ReadTokens.ofHashes(
            request.getTokenSha256().toByteArray(),
            request.getPreviousTokenSha256().toByteArray()));
  }

  private static SourceSettings source(TimelineName id, PrimarySource primary) {
    return SourceSettings.of(
            id,
            primary.getHost(),
            primary.getPort(),
            primary.getUser(),
            primary.getPassword(),
            primary.getDatabase(),
            SslMode.of(primary.getSslMode()),
            primary.getSlot())
        .with(primary.getSynchronous(), retention(primary));
  }

  private static WalRetention retention(PrimarySource primary) {
    return new WalRetention(
        primary.getMaxRetainedWalBytes(),
        switch (primary.getRetainedWalAction()) {
          case RETAINED_WAL_ACTION_RETAIN -> false;
          case RETAINED_WAL_ACTION_DROP_SLOT -> true;
          case UNRECOGNIZED ->
              throw new InvalidRequest(
                  "retained_wal_action "
                      + primary.getRetainedWalActionValue()
                      + " is not known here; expected 0 (retain) or 1 (drop the slot)");
        });
  }
}
