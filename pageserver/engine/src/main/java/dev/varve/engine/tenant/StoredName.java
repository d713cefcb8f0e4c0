package dev.varve.engine.tenant;

import dev.varve.engine.PageserverException;
import dev.varve.engine.bytes.ByteReader;
import dev.varve.engine.bytes.ByteWriter;
import dev.varve.engine.bytes.Enveloped;
import dev.varve.engine.store.ObjectExistsException;
import dev.varve.engine.store.ObjectNotFoundException;
import dev.varve.engine.store.ObjectStore;
import dev.varve.format.FileKind;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * Where a name leads when whoever attaches does not say the id: the object {@code names/NAME} of
 * the tenant, created exclusively, {@code docs/formats/timeline.md}. One who keeps the ids, as the
 * operator does, neither makes nor asks for it.
 */
public record StoredName(TimelineId uid) {

  /** Null: it leads nowhere. */
  public static @Nullable TimelineId resolve(ObjectStore store, TimelineName name)
      throws IOException {
    String object = TimelineLocation.name(name);
    try {
      return decode(object, store.get(object)).uid;
    } catch (ObjectNotFoundException e) {
      return null;
    }
  }

  /** Makes the name lead to {@code wanted} unless it leads somewhere; where it leads then. */
  static TimelineId claim(ObjectStore store, TimelineName name, TimelineId wanted)
      throws IOException {
    for (boolean retried = false; ; retried = true) {
      TimelineId present = resolve(store, name);
      if (present != null) {
        return present;
      }
      try {
        store.create(TimelineLocation.name(name), new StoredName(wanted).encode());
        return wanted;
      } catch (ObjectExistsException e) {
        if (retried) {
          throw new IOException(
              "the object store contradicts itself: "
                  + TimelineLocation.name(name)
                  + " exists but is not found",
              e);
        }
      }
    }
  }

  /** The name leads nowhere any more, if it led to this timeline. */
  static void release(ObjectStore store, TimelineName name, TimelineId uid) throws IOException {
    if (uid.equals(resolve(store, name))) {
      store.delete(TimelineLocation.name(name));
    }
  }

  byte[] encode() {
    ByteWriter out = new ByteWriter();
    out.i64(Long.reverseBytes(uid.high()));
    out.i64(Long.reverseBytes(uid.low()));
    return Enveloped.seal(FileKind.NAME, out);
  }

  /**
   * @throws PageserverException when it cannot be read, or is something else
   */
  static StoredName decode(String object, byte[] bytes) {
    ByteReader in = Enveloped.open(FileKind.NAME, object, bytes);
    TimelineId uid = TimelineId.of(Long.reverseBytes(in.i64()), Long.reverseBytes(in.i64()));
    in.end();
    return new StoredName(uid);
  }
}
