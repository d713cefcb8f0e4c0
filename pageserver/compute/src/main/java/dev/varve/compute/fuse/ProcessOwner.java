package dev.varve.compute.fuse;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Who this process runs as: the owner of its directory in {@code /proc}. */
public final class ProcessOwner {
  private ProcessOwner() {}

  /** The effective user's number. */
  public static int user() {
    return attribute("unix:uid");
  }

  /** The effective group's number. */
  public static int group() {
    return attribute("unix:gid");
  }

  private static int attribute(String name) {
    try {
      return (int) Files.getAttribute(Path.of("/proc/self"), name);
    } catch (IOException e) {
      throw new UncheckedIOException("/proc is not mounted", e);
    }
  }
}
