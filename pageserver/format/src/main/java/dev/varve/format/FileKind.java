package dev.varve.format;

/**
 * The kinds of files and objects. A kind has versions of its own: each release writes {@link
 * #version} and reads back to {@link #oldestRead}.
 */
public enum FileKind {
  /** {@code docs/formats/layer.md}. */
  LAYER("LAYR", "layer", 2, 2),
  /** {@code docs/formats/manifest.md}. */
  MANIFEST("MANI", "manifest", 2, 2),
  /** {@code docs/formats/manifest.md}. */
  MANIFEST_PART("PART", "manifest part", 2, 2),
  /** {@code docs/formats/sharding.md}. */
  LAYOUT("SHRD", "record of a layout", 2, 2),
  /** {@code docs/formats/timeline.md}. */
  LABEL("LABL", "label of a timeline", 2, 2),
  /** {@code docs/formats/timeline.md}. */
  NAME("NAME", "name of a timeline", 2, 2),
  /** {@code docs/formats/compute.md}. */
  IMAGE_HEADER("IMGH", "header of an image", 2, 2),
  /** {@code docs/formats/compute.md}. */
  MOUNT("MNTS", "state of a mount", 2, 2),
  /** {@code docs/formats/compute.md}. */
  PARKED_FILE("PARK", "state of a parked file", 2, 2);

  private final String code;
  private final String noun;
  private final int version;
  private final int oldestRead;

  /**
   * @param code four ASCII characters, the last no digit
   */
  FileKind(String code, String noun, int version, int oldestRead) {
    this.code = code;
    this.noun = noun;
    this.version = version;
    this.oldestRead = oldestRead;
  }

  /** The format version that this release writes: 1 to 65535. */
  public int version() {
    return version;
  }

  /** The oldest format version that this release reads. */
  public int oldestRead() {
    return oldestRead;
  }

  /** What it is called in messages. */
  public String noun() {
    return noun;
  }

  String code() {
    return code;
  }
}
