package dev.varve.testkit;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;
import org.apache.commons.compress.compressors.xz.XZCompressorInputStream;

/**
 * PostgreSQL's programs, unpacked once per machine below the temporary directory from the Maven
 * artifact that the build put among the resources: {@code bin/}, {@code lib/}, {@code share/} with
 * all contrib modules, but no {@code psql}.
 */
public final class PostgresBinaries {
  private PostgresBinaries() {}

  /** Where a major (15 to 18) is unpacked; every user may read it. */
  public static synchronized Path directory(int major) {
    String resource = "binaries/postgres-" + major + ".jar";
    try (InputStream jar = PostgresBinaries.class.getResourceAsStream(resource)) {
      if (jar == null) {
        throw new IllegalArgumentException("no binaries of PostgreSQL " + major);
      }
      byte[] bytes = jar.readAllBytes();
      CRC32 crc = new CRC32();
      crc.update(bytes);
      Path target =
          Path.of(
              System.getProperty("java.io.tmpdir"),
              "varve-postgres",
              major + "-" + Long.toHexString(crc.getValue()));
      if (!Files.isDirectory(target)) {
        unpack(bytes, target);
      }
      return target;
    } catch (IOException e) {
      throw new UncheckedIOException("PostgreSQL " + major + " cannot be unpacked", e);
    }
  }

  private static void unpack(byte[] jar, Path target) throws IOException {
    Files.createDirectories(target.getParent());
    Path part = Files.createTempDirectory(target.getParent(), "unpacking");
    Files.setPosixFilePermissions(part, PosixFilePermissions.fromString("rwxr-xr-x"));
    try (ZipInputStream zip = new ZipInputStream(new ByteArrayInputStream(jar))) {
      for (ZipEntry entry = zip.getNextEntry(); entry != null; entry = zip.getNextEntry()) {
        if (entry.getName().endsWith(".txz")) {
          unpackTar(new TarArchiveInputStream(new XZCompressorInputStream(zip)), part);
          break;
        }
      }
    }
    try {
      Files.move(part, target, StandardCopyOption.ATOMIC_MOVE);
    } catch (FileAlreadyExistsException | DirectoryNotEmptyException e) {
      // Another process was faster.
    }
  }

  private static void unpackTar(TarArchiveInputStream tar, Path into) throws IOException {
    for (TarArchiveEntry entry = tar.getNextEntry(); entry != null; entry = tar.getNextEntry()) {
      Path path = into.resolve(entry.getName()).normalize();
      if (!path.startsWith(into)) {
        throw new IOException("entry outside of the archive: " + entry.getName());
      }
      if (entry.isDirectory()) {
        Files.createDirectories(path);
        continue;
      }
      Files.createDirectories(path.getParent());
      if (entry.isSymbolicLink()) {
        Files.createSymbolicLink(path, Path.of(entry.getLinkName()));
      } else {
        Files.copy(tar, path);
        Files.setPosixFilePermissions(
            path,
            PosixFilePermissions.fromString(
                (entry.getMode() & 0100) != 0 ? "rwxr-xr-x" : "rw-r--r--"));
      }
    }
  }
}
