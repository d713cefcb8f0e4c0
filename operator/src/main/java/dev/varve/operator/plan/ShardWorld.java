package dev.varve.operator.plan;

import java.time.Instant;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What was seen of one shard of a timeline.
 *
 * @param pod the one that the tenant's status names; null: none, or it is gone
 * @param heard whether that pod was asked and answered
 * @param holders every pod that answered and has the shard
 * @param refusal of the attachment that was just tried; null: it was not
 * @param handOverSince when the holder was first asked to hand it over, in vain; null: not at all
 * @param copiedInVain bytes of the longest base backup that failed
 */
public record ShardWorld(
    int shard,
    @Nullable PageserverPod pod,
    boolean heard,
    List<Holder> holders,
    @Nullable Refusal refusal,
    @Nullable Instant handOverSince,
    long copiedInVain) {}
