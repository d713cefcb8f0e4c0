package dev.varve.compute.image;

import dev.varve.api.v1.Tablespace;
import dev.varve.api.v1.ThinImageHeader;
import java.nio.file.Path;

/**
 * The names below an agent's directory.
 *
 * <pre>
 * data/            PostgreSQL's data directory; data/base is a mount point (or plain, in eager mode)
 * tablespace/OID   mount point of a further tablespace; data/pg_tblspc/OID is a link to it. One that
 *                  its cluster has in place is below data/pg_tblspc, which is then a mount point:
 *                  PostgreSQL can remove a directory in a mount, and no mount point
 * overlay/OID/     local content of a tablespace's mount; 1663 is base, 0 is pg_tblspc; by its name
 *                  that of a directory of SLRUs, such as data/pg_xact, which is a mount point when
 *                  its image is in part
 * state/OID.tree   the tree of a mount after a clean stop
 * image            header of the image that all this was laid out from; written last
 * stopped          present after a clean stop only
 * socket/          Unix sockets of PostgreSQL
 * </pre>
 *
 * @param data the data directory, which may lie elsewhere
 * @param inPlace PostgreSQL sees nothing but the data directory: all tablespaces are below {@code
 *     data/pg_tblspc}, which PostgreSQL takes for tablespaces made in place
 */
public record ComputeDirectory(Path root, Path data, boolean inPlace) {
  public static final int DEFAULT_TABLESPACE = 1663;

  /** In place of a tablespace's OID: the mount of {@code pg_tblspc}. */
  public static final int IN_PLACE = 0;

  public ComputeDirectory {
    if (!root.isAbsolute() || !data.isAbsolute()) {
      throw new IllegalArgumentException("the directory must be absolute: " + root + ", " + data);
    }
  }

  /** Everything below one directory. */
  public ComputeDirectory(Path root) {
    this(root, root.resolve("data"), false);
  }

  public Path image() {
    return root.resolve("image");
  }

  public Path stopped() {
    return root.resolve("stopped");
  }

  public Path socket() {
    return root.resolve("socket");
  }

  /** Where a tablespace of an image is seen by PostgreSQL. */
  public Path tablespace(ThinImageHeader header, int oid) {
    if (oid == DEFAULT_TABLESPACE) {
      return data.resolve("base");
    }
    for (Tablespace tablespace : header.getTablespacesList()) {
      if (tablespace.getOid() == oid) {
        return isInPlace(tablespace)
            ? links().resolve(Integer.toUnsignedString(oid))
            : root.resolve("tablespace").resolve(Integer.toUnsignedString(oid));
      }
    }
    throw new IllegalArgumentException("no tablespace " + Integer.toUnsignedString(oid));
  }

  /** {@code data/pg_tblspc}. */
  public Path links() {
    return data.resolve("pg_tblspc");
  }

  /** Whether a tablespace is a directory in {@link #links}, not a link there. */
  public boolean isInPlace(Tablespace tablespace) {
    return inPlace || tablespace.getLocation().isEmpty();
  }

  public Path overlay(int oid) {
    return root.resolve("overlay").resolve(Integer.toUnsignedString(oid));
  }

  /** The mount point of a directory of SLRUs. */
  public Path slru(SlruDirectory slru) {
    return data.resolve(slru.path());
  }

  public Path overlay(SlruDirectory slru) {
    return root.resolve("overlay").resolve(slru.path());
  }

  public Path tree(SlruDirectory slru) {
    return root.resolve("state").resolve(slru.path() + ".tree");
  }

  public Path tree(int oid) {
    return root.resolve("state").resolve(Integer.toUnsignedString(oid) + ".tree");
  }
}
