package dev.varve.engine.tenant;

import dev.varve.engine.PageserverException;
import dev.varve.engine.bytes.ByteReader;
import dev.varve.engine.bytes.ByteWriter;
import dev.varve.engine.bytes.Enveloped;
import dev.varve.engine.store.ObjectNotFoundException;
import dev.varve.engine.store.ObjectStore;
import dev.varve.format.FileKind;
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
public record TimelineLabel(State state, String name, long sinceSeconds) {

  /** What is done with the timeline. */
  public enum State {
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
  public static @Nullable TimelineLabel read(ObjectStore store, TimelineLocation location)
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
    out.u8(state.code);
    out.i64(sinceSeconds);
    out.u8(ascii.length);
    out.bytes(ascii);
    return Enveloped.seal(FileKind.LABEL, out);
  }

  /**
   * @throws PageserverException when it cannot be read, or is something else
   */
  static TimelineLabel decode(String object, byte[] bytes) {
    ByteReader in = Enveloped.open(FileKind.LABEL, object, bytes);
    State state = State.of(object, in.u8());
    long since = in.i64();
    String name = new String(in.bytes(in.u8()), StandardCharsets.US_ASCII);
    in.end();
    return new TimelineLabel(state, name, since);
  }
}
