package dev.varve.engine.check;

import dev.varve.engine.PageserverException;
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
    /** An older program wrote it, and this one reads it no more: check with one that does. */
    TOO_OLD,
    /** A name or a label leads to nothing. */
    DANGLING,
    /** Nothing needs it: it costs room and nothing else. */
    ORPHANED;

    /** Of what was thrown by whoever read it. */
    static Kind of(PageserverException e) {
      return switch (e) {
        case PageserverException.TooNew _ -> TOO_NEW;
        case PageserverException.TooOld _ -> TOO_OLD;
        default -> e.getCause() instanceof IllegalArgumentException ? OVERLAPPING : DAMAGED;
      };
    }

    /** In lower case with hyphens, such as {@code too-new}. */
    public String id() {
      return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
  }
}
