package dev.varve.compute.fuse;

/**
 * What the kernel keeps of a file or directory.
 *
 * @param node id, 1 is the root, never reused
 * @param size bytes
 * @param mode file type and permission bits as in {@code st_mode}
 * @param links link count
 * @param modifiedNanos time of the last change, nanoseconds since 1970
 */
public record FuseAttributes(
    long node, long size, int mode, int links, int uid, int gid, long modifiedNanos) {
  public static final int TYPE_DIRECTORY = 0x4000;
  public static final int TYPE_FILE = 0x8000;
  public static final int TYPE_LINK = 0xA000;
  public static final int TYPE_MASK = 0xF000;
}
