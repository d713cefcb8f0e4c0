package dev.varve.engine.tree;

/**
 * Wakes the background work on a timeline's layers. Called by any thread, under locks: nothing is
 * done at once.
 */
public interface WorkSignals {
  /** Nobody works on them yet; whoever begins to looks at everything. */
  WorkSignals NONE =
      new WorkSignals() {
        @Override
        public void flush() {}

        @Override
        public void publish() {}

        @Override
        public void published() {}

        @Override
        public void remove() {}

        @Override
        public void audit() {}
      };

  /** An open layer holds something, or a layer was frozen. */
  void flush();

  /** A file is there that no manifest lists. */
  void publish();

  /** A manifest lists more. */
  void published();

  /** An object is there that no manifest will list. */
  void remove();

  /** An object that the manifest lists was not found. */
  void audit();
}
