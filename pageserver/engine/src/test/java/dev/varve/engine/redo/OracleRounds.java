package dev.varve.engine.redo;

import java.util.List;
import java.util.stream.LongStream;

/**
 * How long the oracle tests run: {@code -Doracle.rounds=N} adds N − 1 rounds of {@link
 * RandomWorkload} to each, whose seeds count from {@code -Doracle.seed} (1).
 */
public final class OracleRounds {
  /** Statements of a round, about: some tens of thousands of records. */
  public static final int STEPS = 120;

  private OracleRounds() {}

  /** The seeds of the rounds beside the one that always runs; none by default. */
  public static List<Long> seeds() {
    long first = Long.getLong("oracle.seed", 1);
    return LongStream.range(first, first + Integer.getInteger("oracle.rounds", 1) - 1)
        .boxed()
        .toList();
  }
}
