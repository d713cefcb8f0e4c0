package dev.varve.engine.layer;

import dev.varve.engine.PageserverException;
import dev.varve.engine.bytes.ByteReader;
import dev.varve.engine.bytes.ByteWriter;
import dev.varve.engine.bytes.Enveloped;
import dev.varve.engine.postgres.Lsn;
import dev.varve.engine.postgres.PostgresMajor;
import dev.varve.format.FileKind;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
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
 * @param obsolete objects below the timeline's prefix that no manifest needs any more; removed
 *     after a while
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
    List<LayerDescriptor> layers,
    List<String> obsolete) {
  private static final int MAX_LAYERS = 10_000_000;

  /** {@code number} of the manifest before any. */
  public static final Manifest NONE =
      new Manifest(0, 0, 0, null, 0, 0, 0, 0, 0, 0, 0, List.of(), List.of());

  /**
   * Checks that the layers cover what the manifest says.
   *
   * @throws IllegalArgumentException when delta layers leave a gap or reach too far
   */
  public Manifest {
    layers = List.copyOf(layers);
    obsolete = List.copyOf(obsolete);
    if (majorOrNull != null) {
      long reached = reach(startLsn, layers);
      if (reached != publishedLsn) {
        throw new IllegalArgumentException(
            "layers end at " + Lsn.format(reached) + ", not at " + Lsn.format(publishedLsn));
      }
    }
  }

  /**
   * How far the delta layers reach without a gap. Those of one LSN range, a run, have to cover
   * every key once; runs have to follow each other.
   */
  private static long reach(long from, List<LayerDescriptor> layers) {
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
        layers,
        obsolete);
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
        List.copyOf(images),
        obsolete);
  }

  /** This manifest, to make the next one of, once the obsolete objects are to be removed. */
  public Manifest withoutObsolete() {
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
        layers,
        List.of());
  }

  /** The next manifest, with newer layers. */
  public Manifest published(
      Collection<LayerDescriptor> added,
      long lsn,
      long lastRecord,
      long readableFrom,
      int sequence) {
    List<LayerDescriptor> all = new ArrayList<>(layers);
    all.addAll(added);
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
        all,
        obsolete);
  }

  /**
   * The next manifest, with {@code added} in the place of {@code removed}, whose objects become
   * obsolete.
   */
  public Manifest replaced(
      Collection<LayerDescriptor> removed, Collection<LayerDescriptor> added, int sequence) {
    List<LayerDescriptor> all = new ArrayList<>(layers);
    all.removeAll(removed);
    all.addAll(added);
    List<String> gone = new ArrayList<>(obsolete);
    removed.forEach(layer -> gone.add(layer.name()));
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
        all,
        gone);
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
    out.i32(layers.size());
    for (LayerDescriptor layer : layers) {
      out.u8(layer.isImage() ? 1 : 0);
      out.u8(layer.level());
      out.i64(layer.firstKey());
      out.i64(layer.lastKey());
      out.i64(layer.startLsn());
      out.i64(layer.endLsn());
      out.i32(layer.generation());
      out.i32(layer.sequence());
      out.i64(layer.fileBytes());
      out.i64(layer.indexOffset());
      out.i64(layer.entryCount());
      out.i64(layer.lastRecordLsn());
    }
    out.i32(obsolete.size());
    for (String name : obsolete) {
      byte[] bytes = name.getBytes(StandardCharsets.US_ASCII);
      out.u16(bytes.length);
      out.bytes(bytes);
    }
    return Enveloped.seal(FileKind.MANIFEST, out);
  }

  /**
   * The inverse of {@link #encode}.
   *
   * @param name of the object, for messages
   * @throws PageserverException.Corrupt when a byte is not what was written
   * @throws PageserverException.TooNew when a newer release wrote it
   * @throws PageserverException.TooOld when this release reads its format no more
   */
  public static Manifest decode(String name, byte[] bytes) {
    try {
      return decodeBody(Enveloped.open(FileKind.MANIFEST, name, bytes));
    } catch (IllegalArgumentException e) {
      throw new PageserverException.Corrupt("manifest " + name + ": " + e.getMessage(), e);
    }
  }

  private static Manifest decodeBody(ByteReader in) {
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
    List<LayerDescriptor> layers = new ArrayList<>();
    for (int count = in.count(MAX_LAYERS); count > 0; count--) {
      layers.add(
          new LayerDescriptor(
              in.u8() != 0,
              in.u8(),
              in.i64(),
              in.i64(),
              in.i64(),
              in.i64(),
              in.i32(),
              in.i32(),
              in.i64(),
              in.i64(),
              in.i64(),
              in.i64()));
    }
    List<String> obsolete = new ArrayList<>();
    for (int count = in.count(MAX_LAYERS); count > 0; count--) {
      obsolete.add(new String(in.bytes(in.u16()), StandardCharsets.US_ASCII));
    }
    in.end();
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
        layers,
        obsolete);
  }
}
