package dev.varve.engine.tenant;

import dev.varve.engine.PageserverException;
import dev.varve.engine.bytes.ByteReader;
import dev.varve.engine.bytes.ByteWriter;
import dev.varve.engine.bytes.Crc32c;
import dev.varve.engine.bytes.LittleEndian;
import dev.varve.engine.store.ObjectNotFoundException;
import dev.varve.engine.store.ObjectStore;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * What a timeline is called and what is done with it: the object {@code labels/ID} of its tenant,
 * {@code docs/formats/timeline.md}. It is there before the timeline's first object and goes after
 * the last one, so that the labels are the list of the timelines that there are.
 *
 * @param name the last that it had
 * @param sinceSeconds since when it is retained, in seconds of Unix; 0 in the other states
 */
record TimelineLabel(State state, String name, long sinceSeconds) {
  private static final long MAGIC = 0x314C_424C_5652_4156L; // "VARVLBL1"
  private static final int VERSION = 1;

  enum State {
    /** Somebody attaches it. */
    IN_USE(0),
    /** Nobody does, and it is kept. */
    RETAINED(1),
    /** Its objects are being removed; it is not attached any more. */
    DELETED(2);

    private final int code;

    State(int code) {
      this.code = code;
    }

    static State of(String object, int code) {
      for (State state : values()) {
        if (state.code == code) {
          return state;
        }
      }
      throw new PageserverException.Corrupt(object + " has the state " + code);
    }
  }

  static TimelineLabel inUse(String name) {
    return new TimelineLabel(State.IN_USE, name, 0);
  }

  /** Null: there is none. */
  static @Nullable TimelineLabel read(ObjectStore store, TimelineLocation location)
      throws IOException {
    try {
      return decode(location.label(), store.get(location.label()));
    } catch (ObjectNotFoundException e) {
      return null;
    }
  }

  void write(ObjectStore store, TimelineLocation location) throws IOException {
    store.put(location.label(), encode());
  }

  byte[] encode() {
    byte[] ascii = name.getBytes(StandardCharsets.US_ASCII);
    ByteWriter out = new ByteWriter();
    out.i64(MAGIC);
    out.u16(VERSION);
    out.u8(state.code);
    out.i64(sinceSeconds);
    out.u8(ascii.length);
    out.bytes(ascii);
    out.i32(Crc32c.compute(out.array(), 0, out.length()));
    return out.toByteArray();
  }

  /**
   * @throws PageserverException.Corrupt when it is something else
   */
  static TimelineLabel decode(String object, byte[] bytes) {
    int end = bytes.length - 4;
    if (end < 0 || LittleEndian.i32(bytes, end) != Crc32c.compute(bytes, 0, end)) {
      throw new PageserverException.Corrupt(object + ": wrong checksum");
    }
    ByteReader in = new ByteReader(object, bytes, 0, end);
    if (in.i64() != MAGIC) {
      throw new PageserverException.Corrupt(object + " is no label of a timeline");
    }
    int version = in.u16();
    if (version != VERSION) {
      throw new PageserverException.Corrupt(
          object + " has format version " + version + "; this program knows " + VERSION);
    }
    State state = State.of(object, in.u8());
    long since = in.i64();
    String name = new String(in.bytes(in.u8()), StandardCharsets.US_ASCII);
    in.end();
    return new TimelineLabel(state, name, since);
  }
}
