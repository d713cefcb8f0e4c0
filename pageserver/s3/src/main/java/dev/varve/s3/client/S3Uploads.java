package dev.varve.s3.client;

import dev.varve.engine.store.StoreDeadline;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import software.amazon.awssdk.core.exception.SdkClientException;
import software.amazon.awssdk.core.exception.SdkException;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.http.ContentStreamProvider;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.model.AbortMultipartUploadRequest;
import software.amazon.awssdk.services.s3.model.CompleteMultipartUploadRequest;
import software.amazon.awssdk.services.s3.model.CompletedMultipartUpload;
import software.amazon.awssdk.services.s3.model.CompletedPart;
import software.amazon.awssdk.services.s3.model.CreateMultipartUploadRequest;
import software.amazon.awssdk.services.s3.model.S3Exception;
import software.amazon.awssdk.services.s3.model.UploadPartRequest;

/**
 * Large files as multipart uploads. Parts that have arrived stay: after a failure the same call for
 * the same file sends only what is missing, so that a bad line brings a file over however often it
 * breaks. So many parts of one file, and of all, are under way at once; each is read from the file
 * as it is sent.
 *
 * <p>An upload that nobody went on with for {@link #GIVEN_UP_AFTER} is aborted when the next one
 * begins, and all are at the end. What a killed process leaves is a lifecycle rule's to remove
 * ({@code AbortIncompleteMultipartUpload}). Nothing of an upload is visible before it is complete.
 *
 * <p>A layer's name is its generation's and its own, so that none is written by two and none has to
 * be created exclusively.
 */
final class S3Uploads implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(S3Uploads.class);
  private static final int PARTS_OF_ONE = 4;
  private static final int PARTS_OF_ALL = 16;
  private static final Duration GIVEN_UP_AFTER = Duration.ofMinutes(15);

  private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(3);

  private final S3Client client;
  private final String bucket;
  private final int partBytes;
  private final Semaphore parts = new Semaphore(PARTS_OF_ALL);
  private final Map<String, Upload> unfinished = new ConcurrentHashMap<>();

  S3Uploads(S3Client client, String bucket, int partBytes) {
    this.client = client;
    this.bucket = bucket;
    this.partBytes = partBytes;
  }

  /** One file's. */
  private static final class Upload {
    final String id;
    final Path file;
    final long length;
    final FileTime modified;

    /** By part, from 0; null: it has not arrived. */
    final @Nullable String[] tags;

    volatile long usedNanos = System.nanoTime();

    Upload(String id, Path file, long length, FileTime modified, int parts) {
      this.id = id;
      this.file = file;
      this.length = length;
      this.modified = modified;
      this.tags = new @Nullable String[parts];
    }

    boolean isOf(Path other, long bytes, FileTime time) {
      return file.equals(other) && length == bytes && modified.equals(time);
    }
  }

  /** Whether a file of this length is worth an upload in parts. */
  boolean wantsParts(long length) {
    return length > 2L * partBytes;
  }

  /**
   * Uploads a file, or what is missing of it. One thread at a time for one key.
   *
   * @throws SdkException when it is not complete; a later call goes on
   */
  void upload(String key, Path file) throws IOException {
    long length = Files.size(file);
    FileTime modified = Files.getLastModifiedTime(file);
    Upload upload = unfinished.get(key);
    if (upload != null && !upload.isOf(file, length, modified)) {
      abort(key, upload);
      upload = null;
    }
    if (upload == null) {
      abortUnused();
      upload = begin(key, file, length, modified);
      unfinished.put(key, upload);
    }
    upload.usedNanos = System.nanoTime();
    try {
      sendMissing(key, upload);
      complete(key, upload);
      unfinished.remove(key);
    } catch (S3Exception e) {
      if (S3Failure.isMissingObject(e)) {
        // Aborted by a lifecycle rule, or complete although its answer was lost: from the start.
        abort(key, upload);
        throw SdkClientException.create("the upload is gone and begins anew: " + e.getMessage(), e);
      }
      throw e;
    } finally {
      upload.usedNanos = System.nanoTime();
    }
  }

  private Upload begin(String key, Path file, long length, FileTime modified) {
    String id =
        client
            .createMultipartUpload(
                CreateMultipartUploadRequest.builder().bucket(bucket).key(key).build())
            .uploadId();
    return new Upload(id, file, length, modified, Math.toIntExact((length - 1) / partBytes + 1));
  }

  private void sendMissing(String key, Upload upload) throws IOException {
    StoreDeadline deadline = StoreDeadline.open();
    AtomicReference<@Nullable RuntimeException> failure = new AtomicReference<>();
    Semaphore own = new Semaphore(PARTS_OF_ONE);
    List<Thread> threads = new ArrayList<>();
    try {
      for (int part = 0; part < upload.tags.length && failure.get() == null; part++) {
        if (upload.tags[part] == null) {
          int number = part;
          own.acquire();
          threads.add(
              Thread.ofVirtual()
                  .name("varve-upload")
                  .start(() ->
                      deadline.run(() -> {
                        try {
                          sendOne(key, upload, number);
                        } catch (RuntimeException e) {
                          failure.compareAndSet(null, e);
                        } finally {
                          own.release();
                        }
                      })));
        }
      }
      for (Thread thread : threads) {
        thread.join();
      }
    } catch (InterruptedException e) {
      deadline.expire();
      Thread.currentThread().interrupt();
      throw SdkClientException.create("interrupted", e);
    }
    RuntimeException failed = failure.get();
    if (failed instanceof UncheckedIOException disk) {
      throw disk.getCause();
    }
    if (failed != null) {
      throw failed;
    }
  }

  private void sendOne(String key, Upload upload, int part) {
    long offset = (long) part * partBytes;
    long length = Math.min(partBytes, upload.length - offset);
    UploadPartRequest request =
        UploadPartRequest.builder()
            .bucket(bucket)
            .key(key)
            .uploadId(upload.id)
            .partNumber(part + 1)
            .contentLength(length)
            .build();
    parts.acquireUninterruptibly();
    try {
      upload.tags[part] =
          client
              .uploadPart(
                  request,
                  RequestBody.fromContentProvider(
                      new FileRange(upload.file, offset, length),
                      length,
                      "application/octet-stream"))
              .eTag();
    } finally {
      parts.release();
    }
  }

  private void complete(String key, Upload upload) {
    List<CompletedPart> all = new ArrayList<>();
    for (int part = 0; part < upload.tags.length; part++) {
      all.add(CompletedPart.builder().partNumber(part + 1).eTag(upload.tags[part]).build());
    }
    client.completeMultipartUpload(
        CompleteMultipartUploadRequest.builder()
            .bucket(bucket)
            .key(key)
            .uploadId(upload.id)
            .multipartUpload(CompletedMultipartUpload.builder().parts(all).build())
            .build());
  }

  /** A part of a file, as often as it is asked for. */
  private record FileRange(Path file, long offset, long length) implements ContentStreamProvider {
    @Override
    public InputStream newStream() {
      try {
        FileChannel channel = FileChannel.open(file);
        channel.position(offset);
        return new BoundedInputStream(Channels.newInputStream(channel), length);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }

  private void abortUnused() {
    long now = System.nanoTime();
    unfinished.forEach((key, upload) -> {
      if (now - upload.usedNanos > GIVEN_UP_AFTER.toNanos()) {
        abort(key, upload);
      }
    });
  }

  private void abort(String key, Upload upload) {
    unfinished.remove(key, upload);
    try {
      client.abortMultipartUpload(
          AbortMultipartUploadRequest.builder()
              .bucket(bucket)
              .key(key)
              .uploadId(upload.id)
              .build());
    } catch (S3Exception e) {
      if (!S3Failure.isMissingObject(e)) {
        LOG.info("parts of {} stay behind: {}", key, e.getMessage());
      }
    } catch (SdkException e) {
      LOG.info("parts of {} stay behind: {}", key, e.getMessage());
    }
  }

  @Override
  public void close() {
    StoreDeadline.after(CLOSE_TIMEOUT).run(() -> unfinished.forEach(this::abort));
  }
}
