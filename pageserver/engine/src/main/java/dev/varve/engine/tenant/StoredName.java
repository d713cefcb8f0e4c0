package dev.varve.engine.tenant;

import dev.varve.engine.PageserverException;
import dev.varve.engine.bytes.ByteReader;
import dev.varve.engine.bytes.ByteWriter;
import dev.varve.engine.bytes.Crc32c;
import dev.varve.engine.bytes.LittleEndian;
import dev.varve.engine.store.ObjectExistsException;
import dev.varve.engine.store.ObjectNotFoundException;
import dev.varve.engine.store.ObjectStore;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * Where a name leads when whoever attaches does not say the id: the object {@code names/NAME} of
 * the tenant, created exclusively, {@code docs/formats/timeline.md}. One who keeps the ids, as the
 * operator does, neither makes nor asks for it.
 */
record StoredName(TimelineId uid) {
  private static final long MAGIC = 0x314D_414E_5652_4156L; // "VARVNAM1"
  private static final int VERSION = 1;

  /** Null: it leads nowhere. */
  static @Nullable TimelineId resolve(ObjectStore store, TimelineName name) throws IOException {
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
    out.i64(MAGIC);
    out.u16(VERSION);
    out.i64(Long.reverseBytes(uid.high()));
    out.i64(Long.reverseBytes(uid.low()));
    out.i32(Crc32c.compute(out.array(), 0, out.length()));
    return out.toByteArray();
  }

  /**
   * @throws PageserverException.Corrupt when it is something else
   */
  static StoredName decode(String object, byte[] bytes) {
    int end = bytes.length - 4;
    if (end < 0 || LittleEndian.i32(bytes, end) != Crc32c.compute(bytes, 0, end)) {
      throw new PageserverException.Corrupt(object + ": wrong checksum");
    }
    ByteReader in = new ByteReader(object, bytes, 0, end);
    if (in.i64() != MAGIC) {
      throw new PageserverException.Corrupt(object + " is no name of a timeline");
    }
    int version = in.u16();
    if (version != VERSION) {
      throw new PageserverException.Corrupt(
          object + " has format version " + version + "; this program knows " + VERSION);
    }
    TimelineId uid = TimelineId.of(Long.reverseBytes(in.i64()), Long.reverseBytes(in.i64()));
    in.end();
    return new StoredName(uid);
  }
}
