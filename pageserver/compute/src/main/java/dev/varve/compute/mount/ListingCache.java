package dev.varve.compute.mount;

import dev.varve.compute.page.RelationList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The lists of databases that are held, of all mounts of the process: they share a part of its
 * heap, and those that were used least recently make room. A list that made room is asked for
 * again. Thread-safe.
 */
final class ListingCache {
  /** The heap is the process's, and so is this. */
  static final ListingCache SHARED = new ListingCache(Runtime.getRuntime().maxMemory() / 16);

  private final long maxBytes;
  private final LinkedHashMap<Node.Directory, RelationList> lists =
      new LinkedHashMap<>(16, 0.75f, true);
  private long bytes;

  ListingCache(long maxBytes) {
    this.maxBytes = maxBytes;
  }

  synchronized @Nullable RelationList get(Node.Directory directory) {
    return lists.get(directory);
  }

  synchronized void put(Node.Directory directory, RelationList list) {
    remove(directory);
    lists.put(directory, list);
    bytes += list.heapBytes();
    Iterator<Map.Entry<Node.Directory, RelationList>> eldest = lists.entrySet().iterator();
    while (bytes > maxBytes && eldest.hasNext()) {
      bytes -= eldest.next().getValue().heapBytes();
      eldest.remove();
    }
  }

  synchronized void remove(Node.Directory directory) {
    RelationList old = lists.remove(directory);
    if (old != null) {
      bytes -= old.heapBytes();
    }
  }

  synchronized long bytes() {
    return bytes;
  }
}
