package dev.varve.engine.store;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.UUID;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Objects as files of a directory: for one machine, and for tests. An object is written to a
 * temporary file, synced, and then renamed or, for exclusive creation, linked to its name; the
 * directory is synced as well. Temporary files start with a dot and are never listed.
 */
public final class LocalObjectStore implements ObjectStore {
  private static final Pattern NAME =
      Pattern.compile("[a-z0-9_-][a-z0-9._-]*(/[a-z0-9_-][a-z0-9._-]*)*");

  private final Path root;

  /** Makes the directory when it is not there. */
  public LocalObjectStore(Path root) throws IOException {
    this.root = root.toAbsolutePath().normalize();
    Files.createDirectories(this.root);
  }

  private static Path directoryOf(Path object) {
    return Objects.requireNonNull(object.getParent(), "an object is never the root");
  }

  private Path path(String name) {
    if (!NAME.matcher(name).matches()) {
      throw new IllegalArgumentException("not an object name: '" + name + "'");
    }
    return root.resolve(name);
  }

  @Override
  public byte[] get(String name) throws IOException {
    try {
      return Files.readAllBytes(path(name));
    } catch (NoSuchFileException e) {
      throw new ObjectNotFoundException(name);
    }
  }

  @Override
  public byte[] getRange(String name, long offset, int length) throws IOException {
    try (FileChannel channel = FileChannel.open(path(name), StandardOpenOption.READ)) {
      ByteBuffer buffer = ByteBuffer.allocate(length);
      while (buffer.hasRemaining()) {
        if (channel.read(buffer, offset + buffer.position()) < 0) {
          throw new EOFException(
              name + " ends before byte " + (offset + length) + ": it has " + channel.size());
        }
      }
      return buffer.array();
    } catch (NoSuchFileException e) {
      throw new ObjectNotFoundException(name);
    }
  }

  @Override
  public void put(String name, byte[] bytes) throws IOException {
    Path target = path(name);
    Path temporary = write(target, bytes);
    try {
      rename(temporary, target);
    } finally {
      Files.deleteIfExists(temporary); // there when that failed
    }
  }

  @Override
  public void putFile(String name, Path file) throws IOException {
    Path target = path(name);
    Files.createDirectories(directoryOf(target));
    Path temporary = temporary(target);
    try {
      Files.copy(file, temporary);
      try (FileChannel channel = FileChannel.open(temporary, StandardOpenOption.WRITE)) {
        channel.force(true);
      }
      rename(temporary, target);
    } finally {
      Files.deleteIfExists(temporary); // there when one of these failed
    }
  }

  @Override
  public void create(String name, byte[] bytes) throws IOException {
    Path target = path(name);
    Path temporary = write(target, bytes);
    try {
      Files.createLink(target, temporary);
      syncDirectory(directoryOf(target));
    } catch (FileAlreadyExistsException e) {
      throw new ObjectExistsException(name);
    } finally {
      Files.deleteIfExists(temporary);
    }
  }

  private Path write(Path target, byte[] bytes) throws IOException {
    Files.createDirectories(directoryOf(target));
    Path temporary = temporary(target);
    boolean written = false;
    try (FileChannel channel =
        FileChannel.open(temporary, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      ByteBuffer buffer = ByteBuffer.wrap(bytes);
      while (buffer.hasRemaining()) {
        channel.write(buffer);
      }
      channel.force(true);
      written = true;
    } finally {
      if (!written) {
        Files.deleteIfExists(temporary);
      }
    }
    return temporary;
  }

  private static Path temporary(Path target) {
    return target.resolveSibling("." + target.getFileName() + "." + UUID.randomUUID());
  }

  private static void rename(Path temporary, Path target) throws IOException {
    Files.move(
        temporary, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    syncDirectory(directoryOf(target));
  }

  private static void syncDirectory(Path directory) throws IOException {
    try (FileChannel channel = FileChannel.open(directory, StandardOpenOption.READ)) {
      channel.force(true);
    }
  }

  @Override
  public List<ObjectEntry> list(String prefix) throws IOException {
    int slash = prefix.lastIndexOf('/');
    Path from = slash < 0 ? root : path(prefix.substring(0, slash));
    if (!Files.isDirectory(from)) {
      return List.of();
    }
    List<ObjectEntry> entries = new ArrayList<>();
    try (Stream<Path> files = Files.walk(from)) {
      for (Path file : (Iterable<Path>) files::iterator) {
        String name = root.relativize(file).toString().replace('\\', '/');
        if (name.startsWith(prefix)
            && !file.getFileName().toString().startsWith(".")
            && Files.isRegularFile(file)) {
          entries.add(
              new ObjectEntry(name, Files.size(file), Files.getLastModifiedTime(file).toInstant()));
        }
      }
    } catch (NoSuchFileException | java.io.UncheckedIOException e) {
      // Something was removed while the directory was walked.
      return list(prefix);
    }
    entries.sort(Comparator.comparing(ObjectEntry::name));
    return entries;
  }

  @Override
  public void delete(String name) throws IOException {
    Files.deleteIfExists(path(name));
  }
}
