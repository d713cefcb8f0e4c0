package dev.varve.operator.plan;

import dev.varve.crd.Tenant;
import dev.varve.crd.Timeline;
import java.time.Instant;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What was seen of a timeline.
 *
 * @param tenant null: there is none of that name
 * @param token the tenant's; null: not made yet
 * @param digestKey what the digest of the source's settings is made with
 * @param access null: the spec has no source, or {@code accessFailure} says why there is none
 * @param tokenFailure what keeps the token from being known; null: nothing
 * @param accessFailure what keeps the source or its password from being known; null: nothing
 * @param nameTaken what has the name of this timeline's objects; empty: nothing
 * @param sourceShards of all timelines that follow the same primary
 * @param shards one for each, in order
 */
public record TimelineWorld(
    Timeline timeline,
    @Nullable Tenant tenant,
    @Nullable String token,
    String digestKey,
    @Nullable SourceAccess access,
    @Nullable Failure tokenFailure,
    @Nullable Failure accessFailure,
    String nameTaken,
    int sourceShards,
    List<ShardWorld> shards,
    Instant now) {}
