package dev.varve.engine.check;

import java.util.Locale;

/**
 * Something that is not as it has to be.
 *
 * @param object the object's name, or a prefix, with a slash at its end, of several
 * @param text what is wrong, for people
 */
public record Finding(Kind kind, String object, String text) {
  /** What is wrong, by what a person does about it. The names are part of the tool's output. */
  public enum Kind {
    /** A manifest needs it and it is not there: bring it back from the bucket's versions. */
    MISSING,
    /** It is there and its bytes are not what was written: likewise. */
    DAMAGED,
    /** Layers of a manifest claim the same keys and LSNs, or leave some out. */
    OVERLAPPING,
    /** A newer program wrote it: check with that one. */
    TOO_NEW,
    /** A name or a label leads to nothing. */
    DANGLING,
    /** Nothing needs it: it costs room and nothing else. */
    ORPHANED;

    /** In lower case with hyphens, such as {@code too-new}. */
    public String id() {
      return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
  }
}
