package dev.varve.testkit;

import java.io.IOException;
import java.net.URI;
import java.nio.file.Path;
import org.gaul.s3proxy.S3Proxy;
import org.gaul.s3proxy.auth.AuthenticationType;
import org.gaul.s3proxy.blobstore.BlobStore;
import org.gaul.s3proxy.nio2blob.FilesystemNio2BlobStore;

/**
 * An S3 server in this process, over a directory, on a free port of the loopback interface. Of
 * several that create an object at once one succeeds: the server links a finished file under the
 * object's name. Who uses it names the dependency {@code org.gaul:s3proxy}.
 */
public final class S3Server implements AutoCloseable {
  public static final String ACCESS_KEY = "varve";
  public static final String SECRET_KEY = "varve-secret";
  public static final String REGION = "us-east-1";

  private final BlobStore store;
  private final S3Proxy proxy;

  private S3Server(BlobStore store, S3Proxy proxy) {
    this.store = store;
    this.proxy = proxy;
  }

  /** Starts a server over {@code directory}, which has to be there, and makes a bucket in it. */
  public static S3Server start(Path directory, String bucket) throws Exception {
    return start(directory, bucket, AuthenticationType.AWS_V2_OR_V4);
  }

  /** Likewise; it checks no signature, so that what is before it may change requests. */
  public static S3Server startUnchecked(Path directory, String bucket) throws Exception {
    return start(directory, bucket, AuthenticationType.NONE);
  }

  private static S3Server start(Path directory, String bucket, AuthenticationType authentication)
      throws Exception {
    BlobStore store = new FilesystemNio2BlobStore(directory.toString());
    store.createContainer(bucket);
    S3Proxy proxy =
        S3Proxy.builder()
            .blobStore(store)
            .endpoint(URI.create("http://127.0.0.1:0"))
            .awsAuthentication(authentication, ACCESS_KEY, SECRET_KEY)
            .build();
    proxy.start();
    return new S3Server(store, proxy);
  }

  /** Where clients connect, with the bucket in the path. */
  public URI endpoint() {
    return URI.create("http://127.0.0.1:" + proxy.getPort());
  }

  @Override
  public void close() throws IOException {
    try (store) {
      proxy.stop();
    } catch (IOException e) {
      throw e;
    } catch (Exception e) {
      // Whatever the web server throws.
      throw new IOException("the S3 server does not stop", e);
    }
  }
}
