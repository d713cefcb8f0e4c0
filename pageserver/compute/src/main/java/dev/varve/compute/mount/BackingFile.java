package dev.varve.compute.mount;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.jspecify.annotations.Nullable;

/**
 * The sparse local file below a {@link LocalFile}: made when it is first needed, open while it has
 * users. Guarded by its file's lock; a user reads and writes the channel without.
 */
final class BackingFile {
  private static final Logger LOG = Logger.getLogger(BackingFile.class.getName());

  private Path path;
  private @Nullable FileChannel channel;
  private int users;
  private boolean unlinked;

  BackingFile(Path path) {
    this.path = path;
  }

  /** One more user: it stays open until as many {@link #leave} calls. */
  void use() {
    users++;
  }

  void leave() {
    users--;
    closeIfUnused();
  }

  boolean isIdle() {
    return users == 0;
  }

  boolean isUnlinked() {
    return unlinked;
  }

  /** For a user; whoever is none calls {@link #closeIfUnused} afterwards. */
  FileChannel channel() throws IOException {
    FileChannel open = channel;
    if (open == null) {
      if (unlinked) {
        throw new IOException("the file is unlinked and no longer open");
      }
      if (!Files.exists(path)) { // nor may its directory, of which the image had no file
        Files.createDirectories(path.resolveSibling(""));
      }
      open =
          FileChannel.open(
              path, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
      channel = open;
    }
    return open;
  }

  void closeIfUnused() {
    if (users == 0 && channel != null) {
      try {
        channel.close();
      } catch (IOException e) {
        LOG.log(Level.WARNING, "closing " + path, e);
      }
      channel = null;
    }
  }

  void moveTo(Path target) throws IOException {
    if (Files.exists(path)) {
      Files.move(path, target, StandardCopyOption.REPLACE_EXISTING);
    } else {
      Files.deleteIfExists(target);
    }
    path = target;
  }

  /** Removes it; users keep reading and writing it. */
  void unlink() throws IOException {
    if (users > 0) {
      channel();
    }
    unlinked = true;
    Files.deleteIfExists(path);
  }

  /** Its length; -1 when there is none. */
  long bytes() throws IOException {
    return Files.exists(path) ? Files.size(path) : -1;
  }

  @Override
  public String toString() {
    return "the local file " + path;
  }
}
