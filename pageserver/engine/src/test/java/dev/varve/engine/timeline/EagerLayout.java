package dev.varve.engine.timeline;

import com.github.luben.zstd.ZstdInputStream;
import dev.varve.engine.catalog.ClusterView;
import dev.varve.engine.catalog.RelationEntry;
import dev.varve.engine.image.ThinImage;
import dev.varve.engine.postgres.ForkNumber;
import dev.varve.engine.postgres.Page;
import dev.varve.engine.postgres.RelFileLocator;
import dev.varve.testkit.PostgresServer;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;

/** Makes a whole data directory of a timeline: its thin image, and every relation file in full. */
final class EagerLayout {
  private EagerLayout() {}

  static void layOut(Timeline timeline, long lsn, Path data) throws IOException {
    Files.setPosixFilePermissions(data, PosixFilePermissions.fromString("rwx------"));
    ThinImage image = ThinImage.at(timeline, lsn);
    ByteArrayOutputStream packed = new ByteArrayOutputStream();
    image.writeTo(packed);
    try (TarArchiveInputStream tar =
        new TarArchiveInputStream(
            new ZstdInputStream(new ByteArrayInputStream(packed.toByteArray())))) {
      for (TarArchiveEntry entry = tar.getNextEntry(); entry != null; entry = tar.getNextEntry()) {
        String[] name = entry.getName().split("@", 2);
        Path path = data.resolve(name[0]);
        if (entry.isDirectory()) {
          Files.createDirectories(path);
        } else if (name.length == 2) {
          try (RandomAccessFile segment = new RandomAccessFile(path.toFile(), "rw")) {
            segment.setLength(image.identity().walSegmentBytes());
            segment.seek(Long.parseLong(name[1]));
            segment.write(tar.readAllBytes());
          }
        } else {
          Files.copy(tar, path);
        }
        PostgresServer.own(path);
      }
    }
    for (ClusterView.Directory directory : image.directories()) {
      String database = Integer.toUnsignedString(directory.databaseOid());
      Path base =
          directory.tablespaceOid() == RelFileLocator.DEFAULT_TABLESPACE
              ? data.resolve("base").resolve(database)
              : data.resolve("pg_tblspc")
                  .resolve(Integer.toUnsignedString(directory.tablespaceOid()))
                  .resolve(image.tablespaceVersionDirectory())
                  .resolve(database);
      for (RelationEntry entry :
          timeline.listRelations(directory.tablespaceOid(), directory.databaseOid(), image.lsn())) {
        byte[] pages = new byte[entry.blocks() * Page.SIZE];
        timeline.readPages(
            new RelFileLocator(
                directory.tablespaceOid(), directory.databaseOid(), entry.relationNumber()),
            entry.sourceFork(),
            0,
            entry.blocks(),
            image.lsn(),
            pages);
        Path file =
            base.resolve(
                Integer.toUnsignedString(entry.relationNumber()) + ForkNumber.suffix(entry.fork()));
        Files.write(file, pages);
        PostgresServer.own(file);
      }
    }
    for (String name : new String[] {"postgresql.conf", "pg_ident.conf"}) {
      Files.writeString(data.resolve(name), "");
      PostgresServer.own(data.resolve(name));
    }
    Files.writeString(data.resolve("pg_hba.conf"), "host all all 127.0.0.1/32 trust\n");
    PostgresServer.own(data.resolve("pg_hba.conf"));
  }
}
