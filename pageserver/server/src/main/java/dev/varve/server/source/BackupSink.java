package dev.varve.server.source;

import java.io.IOException;
import java.io.InputStream;

/**
 * Who takes the files of a base backup, in the order in which they come. Paths are relative to the
 * data directory, with {@code /}.
 */
public interface BackupSink {
  /**
   * A file of {@code length} bytes; {@code contents} ends there and is valid during the call only.
   */
  void file(String path, long length, InputStream contents) throws IOException;

  /** A directory. */
  void directory(String path);

  /** A symbolic link: a tablespace's, below {@code pg_tblspc}. */
  void link(String path, String target);
}
