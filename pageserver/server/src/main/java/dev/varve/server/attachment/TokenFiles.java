package dev.varve.server.attachment;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.varve.engine.PageserverException;
import dev.varve.engine.PageserverException.InvalidRequest;
import dev.varve.engine.store.FailureText;
import dev.varve.engine.tenant.TimelineId;
import dev.varve.engine.tenant.TimelineName;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The tokens of timelines on disk, by their SHA-256: {@code tokens/TENANT/ID/whole.json} or {@code
 * SHARD.json} in the data directory. They outlive the attachment, since a timeline that was closed
 * must not be opened by an attachment that names no token; they go when its objects are deleted.
 * One thread at a time for each shard.
 */
final class TokenFiles {
  private static final Logger LOG = LoggerFactory.getLogger(TokenFiles.class);
  private static final String SUFFIX = ".json";
  private static final HexFormat HEX = HexFormat.of();

  private final Path directory;
  private final ObjectMapper json = new ObjectMapper();

  /**
   * @param sha256 in hexadecimal digits, the newest first
   */
  private record Content(List<String> sha256) {
    Content {
      sha256 = List.copyOf(sha256);
    }
  }

  TokenFiles(Path dataDirectory) {
    directory = dataDirectory.resolve("tokens");
  }

  private Path directory(TimelineName id, TimelineId uid) {
    return directory.resolve(id.tenant()).resolve(uid.text());
  }

  private Path file(TimelineName id, TimelineId uid) {
    return directory(id, uid)
        .resolve((id.shard().coversAll() ? "whole" : id.shard().toString()) + SUFFIX);
  }

  /**
   * What a timeline was read with last; of a shard that is new here, what another shard was. A file
   * that is damaged closes its timeline.
   */
  ReadTokens load(TimelineName id, TimelineId uid) {
    Path own = file(id, uid);
    try {
      if (Files.exists(own)) {
        return read(own);
      }
      if (!Files.isDirectory(directory(id, uid))) {
        return ReadTokens.NONE;
      }
      try (Stream<Path> files = Files.list(directory(id, uid))) {
        List<Path> others =
            files.filter(f -> f.getFileName().toString().endsWith(SUFFIX)).sorted().toList();
        return others.isEmpty() ? ReadTokens.NONE : read(others.getFirst());
      }
    } catch (IOException | UncheckedIOException e) {
      throw unavailable("read", id, e);
    }
  }

  private ReadTokens read(Path file) throws IOException {
    try {
      Content content = json.readValue(Files.readAllBytes(file), Content.class);
      if (content == null) {
        throw new IllegalArgumentException("null");
      }
      return new ReadTokens(
          content.sha256().stream().map(HEX::parseHex).map(Token::ofHash).toList(), false);
    } catch (JacksonException | InvalidRequest | IllegalArgumentException e) {
      LOG.error(
          "{} does not say which tokens read the timeline ({}); nobody reads it until it is"
              + " attached with one, which writes the file anew",
          file,
          e.getClass().getSimpleName());
      return ReadTokens.LOST;
    }
  }

  void save(TimelineName id, TimelineId uid, ReadTokens tokens) {
    try {
      PrivateFile.replace(
          file(id, uid),
          json.writeValueAsBytes(
              new Content(
                  tokens.accepted().stream().map(Token::hash).map(HEX::formatHex).toList())));
    } catch (IOException e) {
      throw unavailable("write", id, e);
    }
  }

  void delete(TimelineName id, TimelineId uid) {
    try {
      PrivateFile.delete(file(id, uid));
    } catch (IOException e) {
      throw unavailable("remove", id, e);
    }
  }

  private PageserverException unavailable(String what, TimelineName id, Exception e) {
    return new PageserverException.Unavailable(
        "cannot " + what + " the tokens of " + id + " in " + directory + ": " + FailureText.of(e),
        e);
  }
}
