package dev.varve.compute.image;

import dev.varve.api.v1.SlruPages;
import dev.varve.api.v1.ThinImageHeader;
import java.io.IOException;
import java.util.EnumSet;
import java.util.Set;

/** A directory of SLRUs in the data directory, which is a mount when their images are in part. */
public enum SlruDirectory {
  XACT("pg_xact"),
  MULTIXACT("pg_multixact"),
  COMMIT_TS("pg_commit_ts");

  private final String path;

  SlruDirectory(String path) {
    this.path = path;
  }

  /** Its name in the data directory. */
  public String path() {
    return path;
  }

  /** Where the files of one of its SLRUs are in it; empty: in itself. */
  public static String below(int slru) {
    return switch (slru) {
      case 2 -> "offsets";
      case 3 -> "members";
      default -> "";
    };
  }

  /**
   * The directory of an SLRU.
   *
   * @param slru as the pageserver numbers them
   * @throws IOException when there is no such SLRU
   */
  public static SlruDirectory of(int slru) throws IOException {
    return switch (slru) {
      case 1 -> XACT;
      case 2, 3 -> MULTIXACT;
      case 4 -> COMMIT_TS;
      default ->
          throw new IOException(
              "the image names SLRU " + Integer.toUnsignedString(slru) + ", which is not known");
    };
  }

  /** Those that an image has in part. */
  public static Set<SlruDirectory> inPart(ThinImageHeader header) throws IOException {
    Set<SlruDirectory> found = EnumSet.noneOf(SlruDirectory.class);
    for (SlruPages pages : header.getSlruPagesList()) {
      found.add(of(pages.getSlru()));
    }
    return found;
  }
}
