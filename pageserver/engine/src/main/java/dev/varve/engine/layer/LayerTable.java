package dev.varve.engine.layer;

import dev.varve.engine.bytes.ByteReader;
import dev.varve.engine.bytes.ByteWriter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Layers that were added and removed, as manifests and their parts have them. */
record LayerTable(List<LayerDescriptor> added, List<LayerId> removed) {
  /** Of an added layer. */
  static final int ADDED_BYTES = 76;

  /** Of a removed one. */
  static final int REMOVED_BYTES = 10;

  private static final int DELTA = 1;
  private static final int IMAGE = 2;

  static void write(List<LayerDescriptor> added, List<LayerId> removed, ByteWriter out) {
    Map<LayerOrigin, Integer> origins = new LinkedHashMap<>();
    for (LayerDescriptor layer : added) {
      origins.putIfAbsent(layer.origin(), origins.size());
    }
    for (LayerId id : removed) {
      origins.putIfAbsent(id.origin(), origins.size());
    }
    out.u16(origins.size());
    origins.keySet().forEach(origin -> origin.write(out));
    out.i32(added.size());
    for (LayerDescriptor layer : added) {
      out.u16(origins.getOrDefault(layer.origin(), 0));
      out.u8(layer.isImage() ? IMAGE : DELTA);
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
    out.i32(removed.size());
    for (LayerId id : removed) {
      out.u16(origins.getOrDefault(id.origin(), 0));
      out.i32(id.generation());
      out.i32(id.sequence());
    }
  }

  /**
   * @throws IllegalArgumentException when there can be no such layer
   */
  static LayerTable read(ByteReader in) {
    LayerOrigin[] origins = new LayerOrigin[in.u16()];
    for (int i = 0; i < origins.length; i++) {
      origins[i] = LayerOrigin.read(in);
    }
    List<LayerDescriptor> added = new ArrayList<>();
    for (int left = in.countOf(ADDED_BYTES); left > 0; left--) {
      added.add(
          new LayerDescriptor(
              origin(origins, in.u16()),
              isImage(in.u8()),
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
    List<LayerId> removed = new ArrayList<>();
    for (int left = in.countOf(REMOVED_BYTES); left > 0; left--) {
      removed.add(new LayerId(origin(origins, in.u16()), in.i32(), in.i32()));
    }
    return new LayerTable(added, removed);
  }

  private static LayerOrigin origin(LayerOrigin[] origins, int index) {
    if (index >= origins.length) {
      throw new IllegalArgumentException("origin " + index + " of " + origins.length);
    }
    return origins[index];
  }

  private static boolean isImage(int code) {
    return switch (code) {
      case DELTA -> false;
      case IMAGE -> true;
      default -> throw new IllegalArgumentException("a layer of kind " + code);
    };
  }
}
