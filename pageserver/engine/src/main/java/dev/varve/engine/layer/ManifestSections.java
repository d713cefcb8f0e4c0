package dev.varve.engine.layer;

import dev.varve.engine.PageserverException;
import dev.varve.engine.bytes.ByteReader;
import dev.varve.engine.bytes.ByteWriter;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * What a manifest may say beside its layers; {@code docs/formats/manifest.md} specifies the bytes.
 * Of these only {@code replaced} is in use yet.
 *
 * @param ancestor where the timeline branched off; null: it has none
 * @param retained LSNs that stay readable though newer ones are published
 * @param wal WAL that is durable and in no layer, ascending
 * @param keys what layers are encrypted with
 * @param replaced names of this timeline's own layers that merges have replaced and that are not
 *     removed yet: whoever had the timeline before may still read them
 */
public record ManifestSections(
    @Nullable Ancestor ancestor,
    List<RetainedLsn> retained,
    List<WalObject> wal,
    List<KeyReference> keys,
    List<String> replaced) {
  public static final ManifestSections NONE =
      new ManifestSections(null, List.of(), List.of(), List.of(), List.of());

  private static final int ANCESTOR = 1;
  private static final int RETAINED = 2;
  private static final int WAL = 3;
  private static final int KEYS = 4;
  private static final int REPLACED = 5;

  /** Where a timeline branched off another one. */
  public record Ancestor(long timelineHigh, long timelineLow, long lsn) {}

  /**
   * An LSN that stays readable.
   *
   * @param owner of a lease, or the branch's timeline
   * @param expirySeconds when a lease ends, in seconds of Unix; 0: never by itself
   */
  public record RetainedLsn(long lsn, Reason reason, String owner, long expirySeconds) {}

  /** Why an LSN stays readable. */
  public enum Reason {
    BRANCH(1),
    LEASE(2),
    WINDOW(3);

    private final int code;

    Reason(int code) {
      this.code = code;
    }

    static Reason of(int code) {
      for (Reason reason : values()) {
        if (reason.code == code) {
          return reason;
        }
      }
      throw new IllegalArgumentException("an LSN is retained for the reason " + code);
    }
  }

  /**
   * An object that has WAL.
   *
   * @param term of the writer
   */
  public record WalObject(long startLsn, long endLsn, int term, int sequence, long bytes) {}

  /**
   * A key, encrypted with one that is kept elsewhere.
   *
   * @param id as files name it; not 0
   * @param reference what finds the other key and opens this one
   */
  public record KeyReference(int id, String reference) {}

  public ManifestSections {
    retained = List.copyOf(retained);
    wal = List.copyOf(wal);
    keys = List.copyOf(keys);
    replaced = List.copyOf(replaced);
  }

  /** The same, with other replaced layers. */
  ManifestSections withReplaced(List<String> names) {
    return new ManifestSections(ancestor, retained, wal, keys, names);
  }

  private interface Entry<T> {
    void write(T entry, ByteWriter out);
  }

  void write(ByteWriter out) {
    out.u16(
        (ancestor == null ? 0 : 1)
            + (retained.isEmpty() ? 0 : 1)
            + (wal.isEmpty() ? 0 : 1)
            + (keys.isEmpty() ? 0 : 1)
            + (replaced.isEmpty() ? 0 : 1));
    writeSection(
        out,
        ANCESTOR,
        ancestor == null ? List.of() : List.of(ancestor),
        (a, to) -> {
          to.i64(Long.reverseBytes(a.timelineHigh));
          to.i64(Long.reverseBytes(a.timelineLow));
          to.i64(a.lsn);
        });
    writeSection(
        out,
        RETAINED,
        retained,
        (r, to) -> {
          to.i64(r.lsn);
          to.u8(r.reason.code);
          to.i64(r.expirySeconds);
          text(r.owner, to);
        });
    writeSection(
        out,
        WAL,
        wal,
        (w, to) -> {
          to.i64(w.startLsn);
          to.i64(w.endLsn);
          to.i32(w.term);
          to.i32(w.sequence);
          to.i64(w.bytes);
        });
    writeSection(
        out,
        KEYS,
        keys,
        (k, to) -> {
          to.i32(k.id);
          text(k.reference, to);
        });
    writeSection(out, REPLACED, replaced, ManifestSections::text);
  }

  private static <T> void writeSection(
      ByteWriter out, int tag, List<T> entries, Entry<T> encoding) {
    if (entries.isEmpty()) {
      return;
    }
    ByteWriter section = new ByteWriter();
    entries.forEach(entry -> encoding.write(entry, section));
    out.u16(tag);
    out.i32(section.length());
    out.bytes(section.array(), 0, section.length());
  }

  private static void text(String text, ByteWriter out) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    out.u16(bytes.length);
    out.bytes(bytes);
  }

  private static String text(ByteReader in) {
    return new String(in.bytes(in.u16()), StandardCharsets.UTF_8);
  }

  /**
   * @param where the manifest, for messages
   * @throws PageserverException.TooNew when there is a section that this release does not know
   */
  static ManifestSections read(String where, ByteReader in) {
    Ancestor ancestor = null;
    List<RetainedLsn> retained = List.of();
    List<WalObject> wal = List.of();
    List<KeyReference> keys = List.of();
    List<String> replaced = List.of();
    for (int count = in.u16(); count > 0; count--) {
      int tag = in.u16();
      byte[] bytes = in.bytes(in.countOf(1));
      ByteReader section = new ByteReader("section " + tag + " of manifest " + where, bytes);
      switch (tag) {
        case ANCESTOR -> {
          ancestor =
              new Ancestor(
                  Long.reverseBytes(section.i64()),
                  Long.reverseBytes(section.i64()),
                  section.i64());
          section.end();
        }
        case RETAINED ->
            retained =
                all(
                    section,
                    from -> {
                      long lsn = from.i64();
                      Reason reason = Reason.of(from.u8());
                      long expiry = from.i64();
                      return new RetainedLsn(lsn, reason, text(from), expiry);
                    });
        case WAL ->
            wal =
                all(
                    section,
                    from ->
                        new WalObject(from.i64(), from.i64(), from.i32(), from.i32(), from.i64()));
        case KEYS -> keys = all(section, from -> new KeyReference(from.i32(), text(from)));
        case REPLACED -> replaced = all(section, ManifestSections::text);
        default ->
            throw new PageserverException.TooNew(
                "manifest "
                    + where
                    + " is too new: it has section "
                    + tag
                    + ", which this release does not know. Run the release that wrote it, or a"
                    + " newer one",
                null);
      }
    }
    return new ManifestSections(ancestor, retained, wal, keys, replaced);
  }

  private static <T> List<T> all(ByteReader section, Function<ByteReader, T> decoding) {
    List<T> entries = new ArrayList<>();
    while (section.remaining() > 0) {
      entries.add(decoding.apply(section));
    }
    return entries;
  }
}
