package dev.varve.engine.layer;

import dev.varve.engine.store.ObjectsMissingException;

/**
 * The object store no longer holds a manifest that it held, and that nobody has to remove: it was
 * emptied, or is another one. What follows must not be committed until the manifest is back.
 */
public final class ManifestGoneException extends ObjectsMissingException {
  private static final long serialVersionUID = 1L;

  ManifestGoneException(String name) {
    super(
        "the object store no longer holds "
            + name
            + ", which was committed there: somebody removed objects, or replaced the bucket."
            + " Nothing is published until they are there again: bring those below the timeline's"
            + " prefix back from the bucket's versions");
  }
}
