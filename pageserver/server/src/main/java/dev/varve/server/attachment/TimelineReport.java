package dev.varve.server.attachment;

import dev.varve.engine.store.StoreFailure;
import dev.varve.engine.tenant.TimelineId;
import dev.varve.engine.tenant.TimelineName;
import dev.varve.server.source.SourceRoom;
import org.jspecify.annotations.Nullable;

/**
 * One attached timeline at one moment; LSNs and bytes are 0 where they are not known yet.
 *
 * @param problem what is wrong and what to do about it; empty while nothing is
 * @param readableFromLsn the lowest LSN that can be read
 * @param receivedLsn the end of the newest record that can be read
 * @param publishedLsn everything up to here is durable in the object store
 * @param primaryLsn where the primary's WAL ended when it was last heard of
 * @param lagBytes of WAL that the primary has and we have not; null: not known
 * @param lagSeconds since we had all of it; null: not known
 * @param copiedBytes of the base backup, so far
 * @param unpublishedBytes of layer files that the object store has not got
 * @param storageErrors how often disk or object store failed
 * @param storeFailure what fails at the object store; null: nothing that is known
 * @param cost what it makes its primary bear
 * @param fullSource null unless the primary has no slot or WAL sender left for it
 */
public record TimelineReport(
    TimelineName id,
    TimelineId uid,
    int generation,
    AttachmentState state,
    String problem,
    long systemIdentifier,
    int postgresMajor,
    long readableFromLsn,
    long receivedLsn,
    long publishedLsn,
    long primaryLsn,
    @Nullable Long lagBytes,
    @Nullable Double lagSeconds,
    long copiedBytes,
    int layerCount,
    long layerBytes,
    long unpublishedBytes,
    long storageErrors,
    @Nullable StoreFailure storeFailure,
    SourceCost cost,
    @Nullable SourceRoom fullSource) {}
