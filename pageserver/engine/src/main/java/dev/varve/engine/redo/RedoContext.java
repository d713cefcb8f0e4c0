package dev.varve.engine.redo;

import dev.varve.engine.postgres.PostgresMajor;

/**
 * What redo must know of the cluster beside record and page.
 *
 * @param major decides layouts that a record does not tell by itself
 * @param hints when changes of hint bits alone are logged
 */
public record RedoContext(PostgresMajor major, HintLogging hints) {
  /** Of a cluster whose setting never changes. */
  public RedoContext(PostgresMajor major, boolean hintsLogged) {
    this(major, HintLogging.always(hintsLogged));
  }

  /** The same, where hint bits are logged, or not, behind the record that ends at {@code lsn}. */
  public RedoContext withHintsLogged(long lsn, boolean logged) {
    HintLogging changed = hints.changedAt(lsn, logged);
    return changed == hints ? this : new RedoContext(major, changed);
  }
}
