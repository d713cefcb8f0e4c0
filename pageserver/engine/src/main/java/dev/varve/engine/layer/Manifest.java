package dev.varve.engine.layer;

import dev.varve.engine.PageserverException;
import dev.varve.engine.bytes.ByteReader;
import dev.varve.engine.bytes.ByteWriter;
import dev.varve.engine.bytes.Enveloped;
import dev.varve.engine.postgres.Lsn;
import dev.varve.engine.postgres.PostgresMajor;
import dev.varve.format.FileKind;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The list of layers that make a timeline at a moment, and what else is needed to go on from there.
 * Immutable; each change is a new one with the next number. {@code docs/formats/manifest.md}
 * specifies the bytes.
 *
 * @param number 1 for the first
 * @param generation of the attachment that wrote it
 * @param owner drawn at random for each attachment, so that no two owners ever write the same bytes
 * @param majorOrNull null while nothing was imported; then the fields below are 0
 * @param startLsn the start of the base backup: the first delta layer begins here
 * @param readableFromLsn the end of the base backup; 0 while it lies beyond {@code publishedLsn}
 * @param publishedLsn every record up to here is in the layers
 * @param lastRecordLsn where the last record before {@code publishedLsn} starts; 0 when not known
 * @param nextSequence for the next layer's name
 * @param list the layers
 * @param sections what else there may be
 */
public record Manifest(
    long number,
    int generation,
    long owner,
    @Nullable PostgresMajor majorOrNull,
    long systemIdentifier,
    int walSegmentBytes,
    long startLsn,
    long readableFromLsn,
    long publishedLsn,
    long lastRecordLsn,
    int nextSequence,
    LayerList list,
    ManifestSections sections) {
  /** {@code number} of the manifest before any. */
  public static final Manifest NONE =
      new Manifest(0, 0, 0, null, 0, 0, 0, 0, 0, 0, 0, LayerList.EMPTY, ManifestSections.NONE);

  /**
   * Checks that the layers cover what the manifest says.
   *
   * @throws IllegalArgumentException when delta layers leave a gap or reach too far
   */
  private Manifest checked() {
    if (majorOrNull != null) {
      requireReach(startLsn, layers(), publishedLsn);
    }
    return this;
  }

  private static void requireReach(long from, Collection<LayerDescriptor> layers, long lsn) {
    long reached = reach(from, layers);
    if (reached != lsn) {
      throw new IllegalArgumentException(
          "layers end at " + Lsn.format(reached) + ", not at " + Lsn.format(lsn));
    }
  }

  /** Checks that {@code added} covers what {@code removed} does: runs as a whole. */
  private static void requireSameReach(
      Collection<LayerDescriptor> removed, Collection<LayerDescriptor> added) {
    LayerDescriptor first =
        removed.stream()
            .filter(layer -> !layer.isImage())
            .min(Comparator.comparing(LayerDescriptor::startLsn, Long::compareUnsigned))
            .orElse(null);
    if (first != null) {
      long from = first.startLsn();
      requireReach(from, added, reach(from, removed));
    } else if (!added.stream().allMatch(LayerDescriptor::isImage)) {
      throw new IllegalArgumentException("delta layers take the place of none");
    }
  }

  /** All layers of the timeline. */
  public List<LayerDescriptor> layers() {
    return list.layers();
  }

  Manifest withList(LayerList same) {
    return with(same, sections);
  }

  private Manifest with(LayerList otherList, ManifestSections otherSections) {
    return new Manifest(
        number,
        generation,
        owner,
        majorOrNull,
        systemIdentifier,
        walSegmentBytes,
        startLsn,
        readableFromLsn,
        publishedLsn,
        lastRecordLsn,
        nextSequence,
        otherList,
        otherSections);
  }

  /** This one, with further layers of its own that were replaced and are not removed. */
  public Manifest withReplaced(Collection<String> names) {
    List<String> replaced = new ArrayList<>(sections.replaced());
    replaced.addAll(names);
    return with(list, sections.withReplaced(replaced));
  }

  /** This one, without some of the replaced layers: they are removed next. */
  public Manifest withoutReplaced(Collection<String> names) {
    List<String> replaced = new ArrayList<>(sections.replaced());
    replaced.removeAll(Set.copyOf(names));
    return with(list, sections.withReplaced(replaced));
  }

  /**
   * How far the delta layers reach without a gap. Those of one LSN range, a run, have to cover
   * every key once; runs have to follow each other.
   */
  private static long reach(long from, Collection<LayerDescriptor> layers) {
    List<LayerDescriptor> deltas =
        layers.stream()
            .filter(layer -> !layer.isImage())
            .sorted(
                Comparator.comparing(LayerDescriptor::startLsn, Long::compareUnsigned)
                    .thenComparing(LayerDescriptor::endLsn, Long::compareUnsigned)
                    .thenComparing(LayerDescriptor::firstKey, Long::compareUnsigned))
            .toList();
    long runStart = from;
    long reached = from;
    long lastKey = -1;
    for (LayerDescriptor delta : deltas) {
      if (lastKey == -1) {
        if (delta.startLsn() != reached || delta.endLsn() == reached) {
          throw new IllegalArgumentException(
              "layers do not follow each other: " + Lsn.format(reached) + ", then " + delta.name());
        }
        runStart = reached;
        reached = delta.endLsn();
      }
      if (delta.startLsn() != runStart
          || delta.endLsn() != reached
          || delta.firstKey() != lastKey + 1) {
        throw new IllegalArgumentException(
            "layers overlap or leave keys out: %x, then %s".formatted(lastKey, delta.name()));
      }
      lastKey = delta.lastKey();
    }
    if (lastKey != -1) {
      throw new IllegalArgumentException("no layer of keys above %x".formatted(lastKey));
    }
    return reached;
  }

  /** Whether nothing was imported yet. */
  public boolean isEmpty() {
    return majorOrNull == null;
  }

  public PostgresMajor major() {
    if (majorOrNull == null) {
      throw new IllegalStateException("an empty manifest has no major");
    }
    return majorOrNull;
  }

  /** The next manifest, owned by a new attachment. */
  public Manifest claimedBy(int newGeneration, long newOwner) {
    return new Manifest(
        number + 1,
        newGeneration,
        newOwner,
        majorOrNull,
        systemIdentifier,
        walSegmentBytes,
        startLsn,
        readableFromLsn,
        publishedLsn,
        lastRecordLsn,
        nextSequence,
        list,
        sections);
  }

  /** The next manifest, holding an imported base backup. */
  public Manifest imported(
      PostgresMajor major,
      long systemId,
      int segmentBytes,
      long backupStartLsn,
      int sequence,
      Collection<LayerDescriptor> images) {
    return new Manifest(
            number + 1,
            generation,
            owner,
            major,
            systemId,
            segmentBytes,
            backupStartLsn,
            0,
            backupStartLsn,
            0,
            sequence,
            LayerList.of(images),
            sections)
        .checked();
  }

  /** The next manifest, with newer layers. */
  public Manifest published(
      Collection<LayerDescriptor> added,
      long lsn,
      long lastRecord,
      long readableFrom,
      int sequence) {
    if (majorOrNull != null) {
      requireReach(publishedLsn, added, lsn);
    }
    return new Manifest(
        number + 1,
        generation,
        owner,
        majorOrNull,
        systemIdentifier,
        walSegmentBytes,
        startLsn,
        readableFrom,
        lsn,
        lastRecord,
        sequence,
        list.with(added),
        sections);
  }

  /**
   * The next manifest, with {@code added} in the place of {@code removed}.
   *
   * @throws IllegalArgumentException when they do not cover the same LSNs of every key
   */
  public Manifest replaced(
      Collection<LayerDescriptor> removed, Collection<LayerDescriptor> added, int sequence) {
    requireSameReach(removed, added);
    return new Manifest(
        number + 1,
        generation,
        owner,
        majorOrNull,
        systemIdentifier,
        walSegmentBytes,
        startLsn,
        readableFromLsn,
        publishedLsn,
        lastRecordLsn,
        sequence,
        list.replaced(removed, added),
        sections);
  }

  public byte[] encode() {
    ByteWriter out = new ByteWriter();
    out.u16(majorOrNull == null ? 0 : majorOrNull.number());
    out.i32(generation);
    out.i64(number);
    out.i64(owner);
    out.i64(systemIdentifier);
    out.i32(walSegmentBytes);
    out.i32(nextSequence);
    out.i64(startLsn);
    out.i64(readableFromLsn);
    out.i64(publishedLsn);
    out.i64(lastRecordLsn);
    out.u16(list.parts().size());
    for (ManifestPart part : list.parts()) {
      byte[] bytes = part.name().getBytes(StandardCharsets.US_ASCII);
      out.u8(bytes.length);
      out.bytes(bytes);
    }
    LayerTable.write(list.added(), list.removed(), out);
    sections.write(out);
    return Enveloped.seal(FileKind.MANIFEST, out);
  }

  /** Where the parts are that a manifest names. */
  interface Parts {
    /**
     * @throws IOException when it cannot be had now
     */
    ManifestPart read(String name) throws IOException;
  }

  /**
   * The inverse of {@link #encode}.
   *
   * @param where the object, for messages
   * @throws IOException when a part cannot be had now
   * @throws PageserverException.Corrupt when a byte is not what was written
   * @throws PageserverException.TooNew when a newer release wrote it
   * @throws PageserverException.TooOld when this release reads its format no more
   */
  static Manifest decode(String where, byte[] bytes, Parts parts) throws IOException {
    try {
      return decodeBody(where, Enveloped.open(FileKind.MANIFEST, where, bytes), parts).checked();
    } catch (IllegalArgumentException e) {
      throw new PageserverException.Corrupt("manifest " + where + ": " + e.getMessage(), e);
    }
  }

  private static Manifest decodeBody(String where, ByteReader in, Parts parts) throws IOException {
    int major = in.u16();
    int generation = in.i32();
    long number = in.i64();
    long owner = in.i64();
    long systemIdentifier = in.i64();
    int walSegmentBytes = in.i32();
    int nextSequence = in.i32();
    long startLsn = in.i64();
    long readableFromLsn = in.i64();
    long publishedLsn = in.i64();
    long lastRecordLsn = in.i64();
    List<String> names = new ArrayList<>();
    for (int left = in.u16(); left > 0; left--) {
      names.add(new String(in.bytes(in.u8()), StandardCharsets.US_ASCII));
    }
    LayerTable changes = LayerTable.read(in);
    ManifestSections sections = ManifestSections.read(where, in);
    in.end();
    List<ManifestPart> read = new ArrayList<>();
    for (String name : names) {
      read.add(parts.read(name));
    }
    return new Manifest(
        number,
        generation,
        owner,
        major == 0 ? null : PostgresMajor.of(major),
        systemIdentifier,
        walSegmentBytes,
        startLsn,
        readableFromLsn,
        publishedLsn,
        lastRecordLsn,
        nextSequence,
        LayerList.of(read, changes.added(), changes.removed()),
        sections);
  }
}
