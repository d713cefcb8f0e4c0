package dev.varve.engine.timeline;

import dev.varve.engine.postgres.ForkNumber;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * One fork in a listing.
 *
 * @param blocks its size, unsigned
 * @param sourceFork the fork whose pages it has: its own, but for the main fork of an unlogged
 *     relation, which a cluster that was shut down starts with as a copy of the init fork
 */
public record RelationEntry(int relationNumber, int fork, int blocks, int sourceFork) {
  /**
   * Shows an unlogged relation as it is after a reset: only its init fork and a main fork that is
   * the same.
   */
  static List<RelationEntry> withUnlogged(List<RelationEntry> entries) {
    Set<Integer> unlogged = new HashSet<>();
    for (RelationEntry entry : entries) {
      if (entry.fork == ForkNumber.INIT) {
        unlogged.add(entry.relationNumber);
      }
    }
    if (unlogged.isEmpty()) {
      return entries;
    }
    List<RelationEntry> shown = new ArrayList<>();
    for (RelationEntry entry : entries) {
      if (entry.fork == ForkNumber.INIT) {
        shown.add(entry);
        shown.add(
            new RelationEntry(
                entry.relationNumber, ForkNumber.MAIN, entry.blocks, ForkNumber.INIT));
      } else if (!unlogged.contains(entry.relationNumber)) {
        shown.add(entry);
      }
    }
    return shown;
  }
}
