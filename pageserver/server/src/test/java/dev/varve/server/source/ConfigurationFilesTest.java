package dev.varve.server.source;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Set;
import org.junit.jupiter.api.Test;

final class ConfigurationFilesTest {
  private final ConfigurationFiles files =
      new ConfigurationFiles(
          new BackupSink() {
            @Override
            public void file(String path, long length, InputStream contents) throws IOException {
              assertEquals(length, contents.readAllBytes().length, path);
            }

            @Override
            public void directory(String path) {}

            @Override
            public void link(String path, String target) {}
          });

  private void file(String path, byte[] bytes) throws IOException {
    files.file(path, bytes.length, new ByteArrayInputStream(bytes));
  }

  private void file(String path, String text) throws IOException {
    file(path, text.getBytes(StandardCharsets.UTF_8));
  }

  /** A base backup has them in the order of the directory, logs before configuration perhaps. */
  @Test
  void logsLeaveRoomForConfiguration() throws IOException {
    file("local.settings", "myapp.tenant = 'acme'");
    for (int day = 0; day < 100; day++) {
      file("log/postgresql-" + day + ".log", new byte[1 << 20]);
    }
    file("postgresql.conf", "Pg_Trgm.similarity_threshold=0.7\ninclude 'local.settings'");
    assertEquals(Set.of("myapp.tenant", "pg_trgm.similarity_threshold"), files.names());
  }
}
