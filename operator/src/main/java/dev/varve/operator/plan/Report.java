package dev.varve.operator.plan;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a pageserver says of a timeline that is attached to it. LSNs are 0 until they are known.
 *
 * @param problem what is wrong and what to do; empty while all is well
 * @param fullSource null unless the primary has no slot or WAL sender left for it
 * @param tokens SHA-256 of those that read it, in hexadecimal digits, the newest first
 * @param lagBytes null: not known, as are the seconds
 * @param store what fails at the object store; null: nothing that is known
 */
public record Report(
    int generation,
    State state,
    String problem,
    long systemIdentifier,
    int postgresMajor,
    long readableFromLsn,
    long receivedLsn,
    long publishedLsn,
    @Nullable Long lagBytes,
    @Nullable Double lagSeconds,
    long copiedBytes,
    long layerBytes,
    SourceCost cost,
    @Nullable SourceRoom fullSource,
    List<String> tokens,
    @Nullable StoreFailure store) {
  /** As {@code TimelineState} of the contract; the names are what status and conditions show. */
  public enum State {
    Loading,
    Copying,
    CatchingUp,
    Active,
    SourceFailing,
    HandedOver,
    Broken
  }

  /** The same, of a source whose failure is not over while it is tried again. */
  Report stillIn(String failure) {
    return new Report(
        generation,
        State.SourceFailing,
        failure,
        systemIdentifier,
        postgresMajor,
        readableFromLsn,
        receivedLsn,
        publishedLsn,
        lagBytes,
        lagSeconds,
        copiedBytes,
        layerBytes,
        cost,
        fullSource,
        tokens,
        store);
  }

  /** Whether computes can start from it. */
  public boolean isReadable() {
    return readableFromLsn != 0 && state != State.Broken && state != State.Loading;
  }
}
