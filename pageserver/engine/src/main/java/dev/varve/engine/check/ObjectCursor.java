package dev.varve.engine.check;

import dev.varve.engine.store.ObjectEntry;
import dev.varve.engine.store.ObjectStore;
import java.io.IOException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Goes through a store's objects by name, holding no more of the listing than a page of it. */
final class ObjectCursor {
  /** Sorts behind everything that may follow a prefix. */
  private static final String LAST = "~";

  private final ObjectStore store;
  private final String prefix;
  private List<ObjectEntry> page;
  private int next;

  ObjectCursor(ObjectStore store, String prefix) throws IOException {
    this.store = store;
    this.prefix = prefix;
    page = store.list(prefix, "");
  }

  /** The next object, where it has this prefix; else null. */
  @Nullable ObjectEntry peek(String wanted) throws IOException {
    if (next == page.size() && next > 0) {
      page = store.list(prefix, page.getLast().name());
      next = 0;
    }
    if (next == page.size() || !page.get(next).name().startsWith(wanted)) {
      return null;
    }
    return page.get(next);
  }

  /** Moves behind the object that {@link #peek} returned. */
  void advance() {
    next++;
  }

  /** Moves behind all objects of a prefix; those that are in no page yet are not asked for. */
  void skip(String unwanted) throws IOException {
    while (next < page.size() && page.get(next).name().startsWith(unwanted)) {
      next++;
    }
    if (next == page.size() && next > 0) {
      String last = page.getLast().name();
      String end = unwanted + LAST;
      page = store.list(prefix, last.compareTo(end) > 0 ? last : end);
      next = 0;
    }
  }
}
