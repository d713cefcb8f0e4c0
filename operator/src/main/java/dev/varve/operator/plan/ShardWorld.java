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
 * @param trouble why the attachment that was just tried was refused; empty for nothing
 * @param handOverSince when the holder was first asked to hand it over, in vain; null: not at all
 */
public record ShardWorld(
    int shard,
    @Nullable PageserverPod pod,
    boolean heard,
    List<Holder> holders,
    String trouble,
    @Nullable Instant handOverSince) {}
