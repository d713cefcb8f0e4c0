package dev.varve.compute.image;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.Arrays;
import java.util.Objects;
import java.util.Random;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;
import org.apache.commons.compress.archivers.tar.TarConstants;
import org.junit.jupiter.api.Test;

/** Tar streams as commons-compress writes them, which is what a pageserver does. */
class TarReaderTest {
  private static final String LONG_NAME = "pg_tblspc/16400/PG_17_202406281/" + "9".repeat(60);

  private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
  private final TarArchiveOutputStream tar = new TarArchiveOutputStream(bytes);

  private void put(String name, byte... content) throws IOException {
    TarArchiveEntry entry = new TarArchiveEntry(name);
    entry.setSize(content.length);
    entry.setModTime(0);
    tar.putArchiveEntry(entry);
    tar.write(content);
    tar.closeArchiveEntry();
  }

  private byte[] written() throws IOException {
    tar.close();
    return bytes.toByteArray();
  }

  private static TarReader reader(byte[] stream) {
    return new TarReader(new ByteArrayInputStream(stream));
  }

  private static void readAll(byte[] stream) throws IOException {
    TarReader reader = reader(stream);
    while (reader.next() != null) {
      reader.readAllBytes();
    }
  }

  private static TarReader.Entry next(TarReader reader) throws IOException {
    return Objects.requireNonNull(reader.next());
  }

  @Test
  void everySizeAroundABlockAndDirectoriesBetween() throws IOException {
    Random random = new Random(1);
    int[] sizes = {0, 1, 511, 512, 513, 1024, 70_000};
    byte[][] contents = new byte[sizes.length][];
    for (int i = 0; i < sizes.length; i++) {
      put("d" + i + "/");
      contents[i] = new byte[sizes[i]];
      random.nextBytes(contents[i]);
      put(i == 3 ? LONG_NAME : "d" + i + "/file", contents[i]);
    }
    TarReader reader = reader(written());
    for (int i = 0; i < sizes.length; i++) {
      TarReader.Entry directory = next(reader);
      assertTrue(directory.directory());
      assertEquals("d" + i + "/", directory.name());
      TarReader.Entry file = next(reader);
      assertEquals(
          new TarReader.Entry(i == 3 ? LONG_NAME : "d" + i + "/file", false, sizes[i]), file);
      assertArrayEquals(contents[i], reader.readAllBytes());
    }
    assertNull(reader.next());
  }

  @Test
  void whatIsNotReadOfAnEntryIsSkipped() throws IOException {
    put("a", new byte[700]);
    put("b", (byte) 7);
    TarReader reader = reader(written());
    next(reader);
    assertEquals(100, reader.readNBytes(100).length);
    assertEquals("b", next(reader).name());
    assertEquals(7, reader.read());
    assertEquals(-1, reader.read());
  }

  @Test
  void aStreamThatBreaksOffAnywhereIsRefused() throws IOException {
    put("a", new byte[600]);
    byte[] whole = written();
    readAll(whole);
    int content = 512 + 1024;
    for (int length : new int[] {0, 100, 512, 900, content, content + 512, content + 1000}) {
      assertThrows(IOException.class, () -> readAll(Arrays.copyOf(whole, length)), "at " + length);
    }
    readAll(Arrays.copyOf(whole, content + 1024));
  }

  @Test
  void aChangedHeaderIsRefused() throws IOException {
    put("a", new byte[600]);
    byte[] whole = written();
    for (int at : new int[] {0, 99, 124, 134, 150, 156, 257, 345, 400}) {
      byte[] changed = whole.clone();
      changed[at] ^= 1;
      assertThrows(IOException.class, () -> readAll(changed), "byte " + at);
    }
  }

  @Test
  void linksAreRefused() throws IOException {
    TarArchiveEntry link = new TarArchiveEntry("a", TarConstants.LF_SYMLINK);
    link.setLinkName("/etc/passwd");
    tar.putArchiveEntry(link);
    tar.closeArchiveEntry();
    byte[] stream = written();
    IOException refused = assertThrows(IOException.class, () -> readAll(stream));
    assertTrue(refused.getMessage().contains("neither file nor directory"), refused.getMessage());
  }

  @Test
  void sizesThatDoNotFitOctalDigitsAreRefused() throws IOException {
    tar.setBigNumberMode(TarArchiveOutputStream.BIGNUMBER_STAR);
    TarArchiveEntry entry = new TarArchiveEntry("a");
    entry.setSize(1L << 40);
    tar.putArchiveEntry(entry);
    byte[] header = Arrays.copyOf(bytes.toByteArray(), 512);
    assertEquals((byte) 0x80, header[124]);
    assertThrows(IOException.class, () -> readAll(header));
  }
}
