package dev.varve.s3;

import java.net.URI;
import java.util.HashMap;
import java.util.Map;
import org.gaul.s3proxy.S3Proxy;
import org.gaul.s3proxy.auth.AuthenticationType;
import org.gaul.s3proxy.blobstore.BlobStore;
import org.gaul.s3proxy.nio2blob.FilesystemNio2BlobStore;

/**
 * An S3 server over a directory, for a cluster on one machine: one process, no copy of anything.
 * {@code --directory}, {@code --bucket} and {@code --port}; keys in {@code VARVE_S3_ACCESS_KEY} and
 * {@code VARVE_S3_SECRET_KEY}. A bucket that the directory holds already is served as it is.
 */
public final class LaptopS3 {
  private LaptopS3() {}

  public static void main(String[] args) throws Exception {
    S3Proxy proxy = start(options(args), System.getenv());
    System.out.println("S3 on port " + proxy.getPort());
    Thread.currentThread().join();
  }

  private static Map<String, String> options(String[] args) {
    Map<String, String> options = new HashMap<>();
    for (String arg : args) {
      int equals = arg.indexOf('=');
      if (!arg.startsWith("--") || equals < 0) {
        throw new IllegalArgumentException(arg + " is not of the form --NAME=VALUE");
      }
      options.put(arg.substring(2, equals), arg.substring(equals + 1));
    }
    return options;
  }

  static S3Proxy start(Map<String, String> options, Map<String, String> environment)
      throws Exception {
    BlobStore directory = new FilesystemNio2BlobStore(required(options, "directory"));
    String bucket = required(options, "bucket");
    if (!directory.containerExists(bucket)) {
      directory.createContainer(bucket);
    }
    S3Proxy proxy =
        S3Proxy.builder()
            .blobStore(directory)
            .endpoint(URI.create("http://0.0.0.0:" + required(options, "port")))
            .awsAuthentication(
                AuthenticationType.AWS_V2_OR_V4,
                required(environment, "VARVE_S3_ACCESS_KEY"),
                required(environment, "VARVE_S3_SECRET_KEY"))
            .build();
    proxy.start();
    return proxy;
  }

  private static String required(Map<String, String> from, String name) {
    String value = from.get(name);
    if (value == null || value.isEmpty()) {
      throw new IllegalArgumentException(name + " is missing");
    }
    return value;
  }
}
