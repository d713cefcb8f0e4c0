package dev.varve.server;

import com.github.luben.zstd.ZstdInputStream;
import dev.varve.api.v1.GetThinImageRequest;
import dev.varve.api.v1.GetThinImageResponse;
import dev.varve.api.v1.PageServiceGrpc;
import dev.varve.api.v1.ThinImageHeader;
import io.grpc.ManagedChannel;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.Iterator;
import java.util.Map;
import java.util.TreeMap;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;

/**
 * A thin image as a pageserver serves it.
 *
 * @param files the tar's entries by name; one that is no file is empty
 */
record ServedImage(ThinImageHeader header, Map<String, byte[]> files) {
  static ServedImage read(ManagedChannel channel, GetThinImageRequest request) throws IOException {
    Iterator<GetThinImageResponse> answers =
        PageServiceGrpc.newBlockingStub(channel).getThinImage(request);
    ThinImageHeader header = answers.next().getHeader();
    ByteArrayOutputStream packed = new ByteArrayOutputStream();
    while (answers.hasNext()) {
      answers.next().getChunk().writeTo(packed);
    }
    Map<String, byte[]> files = new TreeMap<>();
    try (TarArchiveInputStream tar =
        new TarArchiveInputStream(
            new ZstdInputStream(new ByteArrayInputStream(packed.toByteArray())))) {
      for (TarArchiveEntry entry = tar.getNextEntry(); entry != null; entry = tar.getNextEntry()) {
        files.put(entry.getName(), entry.isFile() ? tar.readAllBytes() : new byte[0]);
      }
    }
    return new ServedImage(header, files);
  }
}
