package dev.varve.compute.volume;

import java.io.IOException;
import java.io.StringReader;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Properties;

/**
 * What outlives the agent about a volume, in a file of its own: enough to clean up after it and to
 * have its pod replaced. A Java properties file, replaced atomically and forced to disk.
 *
 * @param boot of the machine at the time, {@code /proc/sys/kernel/random/boot_id}
 */
record VolumeRecord(
    String id, State state, Path target, PodReference pod, String timeline, String boot) {
  /**
   * <pre>
   * PREPARING --mounted--> PUBLISHED --agent or mount died--> LOST --pod deleted--> REPLACED
   *     every state --unpublish, or the pod's directory is gone--> no record
   * </pre>
   */
  enum State {
    PREPARING,
    PUBLISHED,
    /** The mounts are dead; the pod is yet to be replaced. */
    LOST,
    /** The pod was told to go. */
    REPLACED
  }

  VolumeRecord with(State next) {
    return new VolumeRecord(id, next, target, pod, timeline, boot);
  }

  void write(Path file) throws IOException {
    String text =
        "# A volume of the Varve agent; removed with it.\n"
            + line("id", id)
            + line("state", state.name())
            + line("target", target.toString())
            + line("namespace", pod.namespace())
            + line("pod", pod.name())
            + line("uid", pod.uid())
            + line("timeline", timeline)
            + line("boot", boot);
    Path part = file.resolveSibling(file.getFileName() + ".part");
    try (FileChannel channel =
        FileChannel.open(
            part,
            StandardOpenOption.CREATE,
            StandardOpenOption.WRITE,
            StandardOpenOption.TRUNCATE_EXISTING)) {
      ByteBuffer bytes = ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
      while (bytes.hasRemaining()) {
        channel.write(bytes);
      }
      channel.force(true);
    }
    Files.move(part, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
  }

  private static String line(String name, String value) {
    return name + "=" + value.replace("\\", "\\\\").replace("\n", "\\n") + "\n";
  }

  /**
   * @throws IOException when the file is no record, which only a person's hand or the disk can do
   */
  static VolumeRecord read(Path file) throws IOException {
    Properties found = new Properties();
    try {
      found.load(new StringReader(Files.readString(file)));
      return new VolumeRecord(
          value(found, "id"),
          State.valueOf(value(found, "state")),
          Path.of(value(found, "target")),
          new PodReference(value(found, "namespace"), value(found, "pod"), value(found, "uid")),
          value(found, "timeline"),
          value(found, "boot"));
    } catch (IllegalArgumentException e) {
      throw new IOException(file + " is damaged: " + e.getMessage(), e);
    }
  }

  private static String value(Properties found, String name) {
    String value = found.getProperty(name);
    if (value == null) {
      throw new IllegalArgumentException(name + " is missing");
    }
    return value;
  }
}
