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
 * @param pod the one that the tenant's status names; null: none, or it is gone
 * @param heard whether that pod was asked and answered
 * @param report what it said of this timeline; null: nothing
 * @param elsewhere uids of other pods that hold this timeline too
 * @param attachTrouble why the attachment that was just tried was refused; empty for nothing
 */
public record TimelineWorld(
    Timeline timeline,
    @Nullable Tenant tenant,
    @Nullable String token,
    @Nullable SourceAccess access,
    String accessTrouble,
    @Nullable PageserverPod pod,
    boolean heard,
    @Nullable Report report,
    List<String> elsewhere,
    String attachTrouble,
    Instant now) {}
