package dev.varve.engine.catalog;

import dev.varve.engine.bytes.LittleEndian;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The directories of one database: one per tablespace that holds files of it, and the relation map
 * of the one that is its default. Encoded as, for each, u32 tablespace OID, u16 length of the
 * relation map (0: none) and the map. Immutable.
 */
public record DatabaseDirectories(List<Directory> directories) {
  /**
   * One directory; {@code relationMap} is the whole {@code pg_filenode.map}, null where there is
   * none.
   */
  record Directory(int tablespaceOid, byte @Nullable [] relationMap) {}

  static final DatabaseDirectories NONE = new DatabaseDirectories(List.of());

  static DatabaseDirectories decode(byte[] bytes) {
    List<Directory> directories = new ArrayList<>();
    int at = 0;
    while (at < bytes.length) {
      int tablespace = LittleEndian.i32(bytes, at);
      int length = LittleEndian.u16(bytes, at + 4);
      directories.add(
          new Directory(
              tablespace, length == 0 ? null : Arrays.copyOfRange(bytes, at + 6, at + 6 + length)));
      at += 6 + length;
    }
    return new DatabaseDirectories(List.copyOf(directories));
  }

  byte[] encode() {
    int size = 0;
    for (Directory directory : directories) {
      size += 6 + (directory.relationMap == null ? 0 : directory.relationMap.length);
    }
    byte[] bytes = new byte[size];
    int at = 0;
    for (Directory directory : directories) {
      byte[] map = directory.relationMap == null ? new byte[0] : directory.relationMap;
      LittleEndian.putI32(bytes, at, directory.tablespaceOid);
      LittleEndian.putU16(bytes, at + 4, map.length);
      System.arraycopy(map, 0, bytes, at + 6, map.length);
      at += 6 + map.length;
    }
    return bytes;
  }

  @Nullable Directory in(int tablespaceOid) {
    for (Directory directory : directories) {
      if (directory.tablespaceOid == tablespaceOid) {
        return directory;
      }
    }
    return null;
  }

  /** The same with this directory added or replaced; a null map keeps the one that is there. */
  DatabaseDirectories with(int tablespaceOid, byte @Nullable [] relationMap) {
    Directory present = in(tablespaceOid);
    byte[] map = relationMap == null && present != null ? present.relationMap : relationMap;
    List<Directory> changed = new ArrayList<>(without(tablespaceOid).directories);
    changed.add(new Directory(tablespaceOid, map));
    return new DatabaseDirectories(List.copyOf(changed));
  }

  DatabaseDirectories without(int tablespaceOid) {
    return new DatabaseDirectories(
        directories.stream().filter(d -> d.tablespaceOid != tablespaceOid).toList());
  }
}
