package dev.varve.server.attachment;

import dev.varve.engine.tenant.TimelineId;
import dev.varve.engine.tenant.TimelineUid;

/**
 * One attached timeline at one moment; LSNs and bytes are 0 where they are not known yet.
 *
 * @param problem what is wrong and what to do about it; empty while nothing is
 * @param readableFromLsn the lowest LSN that can be read
 * @param receivedLsn the end of the newest record that can be read
 * @param publishedLsn everything up to here is durable in the object store
 * @param primaryLsn where the primary's WAL ended when it was last heard of
 * @param lagBytes of WAL that the primary has and we have not
 * @param lagSeconds since we had all of it
 * @param copiedBytes of the base backup, so far
 * @param unpublishedBytes of layer files that the object store has not got
 * @param storageErrors how often disk or object store failed
 * @param cost what it makes its primary bear
 */
public record TimelineReport(
    TimelineId id,
    TimelineUid uid,
    int generation,
    AttachmentState state,
    String problem,
    long systemIdentifier,
    int postgresMajor,
    long readableFromLsn,
    long receivedLsn,
    long publishedLsn,
    long primaryLsn,
    long lagBytes,
    double lagSeconds,
    long copiedBytes,
    int layerCount,
    long layerBytes,
    long unpublishedBytes,
    long storageErrors,
    SourceCost cost) {}
