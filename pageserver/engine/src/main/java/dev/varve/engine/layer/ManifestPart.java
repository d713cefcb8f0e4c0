package dev.varve.engine.layer;

import dev.varve.engine.PageserverException;
import dev.varve.engine.bytes.ByteReader;
import dev.varve.engine.bytes.ByteWriter;
import dev.varve.engine.bytes.Enveloped;
import dev.varve.format.FileKind;
import java.util.List;

/**
 * Changes of a list of layers in an object of their own, which manifests name. Immutable; {@code
 * docs/formats/manifest.md} specifies the bytes.
 *
 * @param name of the object below the timeline's parts; never used twice
 * @param added layers that are listed from here on, if no later part takes them away
 * @param removed layers of parts before that are listed no more
 */
public record ManifestPart(String name, List<LayerDescriptor> added, List<LayerId> removed) {
  public ManifestPart {
    added = List.copyOf(added);
    removed = List.copyOf(removed);
  }

  /** How many changes it has. */
  int changes() {
    return added.size() + removed.size();
  }

  byte[] encode() {
    ByteWriter out = new ByteWriter();
    LayerTable.write(added, removed, out);
    return Enveloped.seal(FileKind.MANIFEST_PART, out);
  }

  /**
   * The inverse of {@link #encode}.
   *
   * @param where the object, for messages
   * @throws PageserverException when it cannot be read
   */
  static ManifestPart decode(String name, String where, byte[] bytes) {
    ByteReader in = Enveloped.open(FileKind.MANIFEST_PART, where, bytes);
    try {
      LayerTable table = LayerTable.read(in);
      in.end();
      return new ManifestPart(name, table.added(), table.removed());
    } catch (IllegalArgumentException e) {
      throw new PageserverException.Corrupt("manifest part " + where + ": " + e.getMessage(), e);
    }
  }
}
