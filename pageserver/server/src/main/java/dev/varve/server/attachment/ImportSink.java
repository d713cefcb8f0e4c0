package dev.varve.server.attachment;

import dev.varve.engine.ingest.BaseBackupImport;
import dev.varve.server.source.BackupSink;
import java.io.IOException;
import java.io.InputStream;

/** An engine import as a {@link BackupSink}. */
record ImportSink(BaseBackupImport target) implements BackupSink {
  @Override
  public void file(String path, long length, InputStream contents) throws IOException {
    target.file(path, length, contents);
  }

  @Override
  public void directory(String path) {
    target.directory(path);
  }

  @Override
  public void link(String path, String location) {
    target.link(path, location);
  }
}
