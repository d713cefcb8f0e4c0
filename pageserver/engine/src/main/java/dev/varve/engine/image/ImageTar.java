package dev.varve.engine.image;

import com.github.luben.zstd.ZstdOutputStream;
import java.io.BufferedOutputStream;
import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;

/**
 * The zstd-compressed tar stream of an image. The same calls give the same bytes: nothing of the
 * machine or the time goes in. One thread.
 */
final class ImageTar implements AutoCloseable {
  private static final int COMPRESSION_LEVEL = 1;

  /** The tar stream comes in pieces of 512 bytes, and each costs the compressor a native call. */
  private static final int BUFFER_BYTES = 128 << 10;

  private final TarArchiveOutputStream tar;

  /** Closing leaves {@code out} open. */
  ImageTar(OutputStream out) throws IOException {
    tar =
        new TarArchiveOutputStream(
            new BufferedOutputStream(
                new ZstdOutputStream(new LeftOpen(out), COMPRESSION_LEVEL), BUFFER_BYTES));
  }

  /** Passes everything on but {@code close}. */
  private static final class LeftOpen extends FilterOutputStream {
    LeftOpen(OutputStream out) {
      super(out);
    }

    @Override
    public void write(byte[] bytes, int offset, int length) throws IOException {
      out.write(bytes, offset, length);
    }

    @Override
    public void close() throws IOException {
      flush();
    }
  }

  /** Writes a file's bytes, exactly as many as were announced. */
  interface Contents {
    void writeTo(OutputStream out) throws IOException;
  }

  void directory(String name) throws IOException {
    TarArchiveEntry entry = new TarArchiveEntry(name + "/");
    entry.setMode(0040700);
    entry.setModTime(0);
    tar.putArchiveEntry(entry);
    tar.closeArchiveEntry();
  }

  void file(String name, byte[] bytes) throws IOException {
    file(name, bytes.length, out -> out.write(bytes));
  }

  /** A file that is never whole in memory. */
  void file(String name, long length, Contents contents) throws IOException {
    TarArchiveEntry entry = new TarArchiveEntry(name);
    entry.setMode(0100600);
    entry.setModTime(0);
    entry.setSize(length);
    tar.putArchiveEntry(entry);
    contents.writeTo(tar);
    tar.closeArchiveEntry();
  }

  @Override
  public void close() throws IOException {
    tar.close();
  }
}
