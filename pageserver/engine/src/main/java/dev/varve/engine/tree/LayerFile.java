package dev.varve.engine.tree;

import dev.varve.engine.layer.BlockCache;
import dev.varve.engine.layer.Chain;
import dev.varve.engine.layer.Layer;
import dev.varve.engine.layer.LayerDescriptor;
import dev.varve.engine.layer.LayerSource;
import dev.varve.engine.layer.RecordBoundary;
import dev.varve.engine.read.PageReader;
import dev.varve.engine.store.ObjectNotFoundException;
import dev.varve.engine.store.ObjectStore;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A layer of a timeline: on the local disk, in the object store, or both. Reads come from the local
 * file while there is one, else by ranges from the object store. Any thread.
 *
 * <p>The local copy of a published layer is a cache: nothing syncs it, and a power cut, the disk or
 * a person may damage it. {@link Layer} checks every block that it reads; a copy that fails is
 * dropped, and the object is read.
 *
 * <p>A thread that is interrupted while it reads closes the channel under all others ({@link
 * java.nio.channels.InterruptibleChannel}): it is opened again unless the copy was dropped.
 */
public final class LayerFile implements LayerSource, AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(LayerFile.class);
  private static final int FETCH_BYTES = 4 << 20;

  private final ObjectStore store;
  private final String objectName;
  private final Path path;
  private final LocalDisk disk;
  private final Runnable whenGone;
  private final Layer layer;
  private volatile @Nullable FileChannel local;
  private volatile boolean uploadBegun;
  private volatile boolean published;
  private volatile boolean keptLocal;
  private volatile long lastReadNanos = System.nanoTime();

  /**
   * @param objectName where it is, or will be, in the object store
   * @param path where it is on the local disk, when it is there
   * @param disk gets to know whether it is there
   * @param whenGone runs when a read finds that the object store holds it no longer
   */
  LayerFile(
      LayerDescriptor descriptor,
      ObjectStore store,
      String objectName,
      Path path,
      LocalDisk disk,
      BlockCache cache,
      boolean published,
      Runnable whenGone)
      throws IOException {
    this.store = store;
    this.objectName = objectName;
    this.path = path;
    this.disk = disk;
    this.published = published;
    this.whenGone = whenGone;
    this.layer = new Layer(descriptor, this, cache);
    if (Files.exists(path)) {
      if (Files.size(path) == descriptor.fileBytes()) {
        openLocal();
      } else {
        log.warn(
            "{} has {} bytes instead of {} and is dropped; the object store has the layer",
            path,
            Files.size(path),
            descriptor.fileBytes());
        disk.damaged();
        Files.delete(path);
      }
    }
  }

  private void openLocal() throws IOException {
    local = FileChannel.open(path, StandardOpenOption.READ);
    disk.added(this);
  }

  String objectName() {
    return objectName;
  }

  public LayerDescriptor descriptor() {
    return layer.descriptor();
  }

  public Layer layer() {
    return layer;
  }

  boolean isPublished() {
    return published;
  }

  /** Whether the local copy may be given up: the object store is known to have the layer. */
  boolean isEvictable() {
    return published && !keptLocal;
  }

  /** Keeps the local copy, if there is one, while it is {@code wanted}. */
  void keepLocal(boolean wanted) {
    keptLocal = wanted;
  }

  boolean isLocal() {
    return local != null;
  }

  /** When its bytes were last asked for, here or there; of {@link System#nanoTime}. */
  long lastReadNanos() {
    return lastReadNanos;
  }

  /**
   * Uploads the file; it may be read from the object store once a manifest lists it. What the disk
   * damaged since it was written is an error: the WAL that it was made of is still there.
   */
  public void upload() throws IOException {
    layer.check();
    uploadBegun = true;
    store.putFile(objectName, path);
    published = true;
  }

  void collect(long key, long lsn, Chain chain) {
    layer.collect(key, lsn, chain);
  }

  @Nullable RecordBoundary boundaryAtOrBefore(long lsn) {
    return layer.boundaryAtOrBefore(lsn);
  }

  @Override
  public byte[] read(long offset, int length) throws IOException {
    lastReadNanos = System.nanoTime();
    FileChannel channel = local;
    if (channel == null) {
      return stored(offset, length);
    }
    ByteBuffer buffer = ByteBuffer.allocate(length);
    while (buffer.hasRemaining()) {
      int count;
      try {
        count = channel.read(buffer, offset + buffer.position());
      } catch (ClosedByInterruptException e) {
        var _ = reopened(); // for everybody else
        throw e;
      } catch (ClosedChannelException e) {
        channel = reopened();
        if (channel == null) {
          return stored(offset, length);
        }
        continue;
      }
      if (count < 0) {
        return buffer.array(); // cut off: the zeros behind its end fail the caller's check
      }
    }
    return buffer.array();
  }

  /** The channel in the place of one that was closed; null when the local copy was given up. */
  private synchronized @Nullable FileChannel reopened() throws IOException {
    FileChannel current = local;
    if (current != null && !current.isOpen()) {
      try {
        local = FileChannel.open(path, StandardOpenOption.READ);
      } catch (NoSuchFileException e) {
        local = null;
        disk.removed(this);
      }
    }
    return local;
  }

  @Override
  public byte @Nullable [] readOtherCopy(long offset, int length, String damage)
      throws IOException {
    if (!published) {
      return null;
    }
    byte[] bytes;
    try {
      bytes = stored(offset, length);
    } catch (ObjectNotFoundException e) {
      return null; // the damage is what there is to be said
    }
    // Not before: while the object store does not answer, the rest of the local copy is read.
    if (evict()) {
      disk.damaged();
      log.warn("{} is damaged, the object is read instead: {}", path, damage);
    }
    return bytes;
  }

  private byte[] stored(long offset, int length) throws IOException {
    try {
      return store.getRange(objectName, offset, length);
    } catch (ObjectNotFoundException e) {
      whenGone.run();
      throw e;
    }
  }

  /**
   * Brings a published file to the local disk. One thread.
   *
   * @param temporary where it may be written until it is complete
   * @param stopped asked now and then; when true, nothing is left of it
   */
  void fetch(Path temporary, BooleanSupplier stopped) throws IOException {
    try {
      try (FileChannel out =
          FileChannel.open(
              temporary,
              StandardOpenOption.CREATE,
              StandardOpenOption.TRUNCATE_EXISTING,
              StandardOpenOption.WRITE)) {
        long size = descriptor().fileBytes();
        for (long at = 0; at < size; at += FETCH_BYTES) {
          if (stopped.getAsBoolean()) {
            return;
          }
          int length = (int) Math.min(FETCH_BYTES, size - at);
          ByteBuffer bytes = ByteBuffer.wrap(stored(at, length));
          while (bytes.hasRemaining()) {
            out.write(bytes);
          }
        }
      }
      Files.move(temporary, path, StandardCopyOption.ATOMIC_MOVE);
      try {
        openLocal();
      } catch (IOException e) {
        Files.deleteIfExists(path);
        throw e;
      }
    } finally {
      Files.deleteIfExists(temporary);
    }
  }

  /** Gives the local copy up, if there is one and it may be; whether it did. */
  synchronized boolean evict() throws IOException {
    FileChannel channel = local;
    if (!isEvictable() || channel == null) {
      return false;
    }
    local = null;
    channel.close();
    Files.deleteIfExists(path);
    disk.removed(this);
    return true;
  }

  /**
   * Removes the local copy of a layer that no manifest lists any more. A read that is under way
   * goes on in the object store or, where the object is gone too, in the layers that took its place
   * ({@link PageReader}).
   */
  synchronized void discardLocal() throws IOException {
    if (local != null) {
      close();
      Files.deleteIfExists(path);
    }
  }

  /**
   * Gives up the local copy of a layer that nobody was to read yet.
   *
   * @return whether the object store may have it
   */
  boolean abandon() throws IOException {
    close();
    Files.deleteIfExists(path);
    return uploadBegun;
  }

  @Override
  public synchronized void close() {
    FileChannel channel = local;
    local = null;
    disk.removed(this);
    if (channel != null) {
      try {
        channel.close();
      } catch (IOException e) {
        // Nothing is lost: the channel was only read from.
      }
    }
  }
}
