package dev.varve.compute.image;

import dev.varve.api.v1.ThinImageHeader;
import java.io.IOException;
import java.io.InputStream;

/** A thin image that is being received: its header, and the plain tar stream. */
public interface ImageSource extends AutoCloseable {
  ThinImageHeader header();

  InputStream tar();

  @Override
  void close() throws IOException;
}
