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
 * @param access null: the spec has no source, or {@code accessTrouble} says why there is none
 * @param accessTrouble what keeps the source's password from being known; empty for nothing
 * @param shards one for each, in order
 */
public record TimelineWorld(
    Timeline timeline,
    @Nullable Tenant tenant,
    @Nullable String token,
    @Nullable SourceAccess access,
    String accessTrouble,
    List<ShardWorld> shards,
    Instant now) {}
