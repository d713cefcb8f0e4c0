package dev.varve.server.attachment;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.varve.engine.PageserverException;
import dev.varve.engine.store.FailureText;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The attachments on disk: one JSON file each, {@code attachments/TENANT/TIMELINE.json} or {@code
 * TIMELINE.SHARD.json} in the data directory, readable by the owner only since it holds the
 * source's password. Files are replaced whole, and written to disk before they count. A wiped disk
 * loses them: whoever attached attaches again, and finds in the object store what was published.
 */
final class AttachmentFiles {
  private static final Logger LOG = LoggerFactory.getLogger(AttachmentFiles.class);
  private static final String SUFFIX = ".json";

  private final Path directory;
  private final ObjectMapper json = new ObjectMapper();

  AttachmentFiles(Path dataDirectory) {
    directory = dataDirectory.resolve("attachments");
  }

  /**
   * All of them, in no order. A file that is damaged is left where it is and logged: its timeline
   * is not attached, the others are.
   */
  List<AttachmentRecord> load() {
    List<AttachmentRecord> records = new ArrayList<>();
    if (!Files.isDirectory(directory)) {
      return records;
    }
    try (Stream<Path> files = Files.walk(directory, 2)) {
      for (Path file : files.filter(f -> f.getFileName().toString().endsWith(SUFFIX)).toList()) {
        try {
          records.add(read(file));
        } catch (PageserverException.Corrupt e) {
          LOG.error("{}", e.getMessage());
        }
      }
    } catch (IOException | UncheckedIOException e) {
      throw unavailable("read", e);
    }
    return records;
  }

  private AttachmentRecord read(Path file) throws IOException {
    try {
      return json.readValue(Files.readAllBytes(file), AttachmentRecord.class);
    } catch (JacksonException e) {
      throw new PageserverException.Corrupt(
          file
              + " is not an attachment ("
              + e.getOriginalMessage()
              + "); attach the timeline again, which writes it anew",
          e);
    }
  }

  void save(AttachmentRecord record) {
    Path file = file(record);
    try {
      PrivateFile.replace(file, json.writeValueAsBytes(record));
    } catch (IOException e) {
      throw unavailable("write", e);
    }
  }

  void delete(AttachmentRecord record) {
    try {
      PrivateFile.delete(file(record));
    } catch (IOException e) {
      throw unavailable("remove", e);
    }
  }

  private Path file(AttachmentRecord record) {
    String shard = record.id().shard().coversAll() ? "" : "." + record.id().shard();
    return directory.resolve(record.id().tenant()).resolve(record.id().timeline() + shard + SUFFIX);
  }

  private PageserverException unavailable(String what, Exception e) {
    return new PageserverException.Unavailable(
        "cannot " + what + " attachments in " + directory + ": " + FailureText.of(e), e);
  }
}
