package dev.varve.engine.store;

import java.io.EOFException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.TreeMap;

/** Objects in memory under one lock: the store whose exclusive creation is beyond doubt. */
public final class MemoryObjectStore implements ObjectStore {
  private record Stored(byte[] bytes, Instant modified) {}

  private final TreeMap<String, Stored> objects = new TreeMap<>();

  @Override
  public synchronized byte[] get(String name) throws IOException {
    Stored stored = objects.get(name);
    if (stored == null) {
      throw new ObjectNotFoundException(name);
    }
    return stored.bytes().clone();
  }

  @Override
  public synchronized byte[] getRange(String name, long offset, int length) throws IOException {
    byte[] bytes = get(name);
    if (offset < 0 || offset + length > bytes.length) {
      throw new EOFException(name + " has " + bytes.length + " bytes");
    }
    return Arrays.copyOfRange(bytes, (int) offset, (int) offset + length);
  }

  @Override
  public synchronized void put(String name, byte[] bytes) {
    objects.put(name, new Stored(bytes.clone(), Instant.now()));
  }

  @Override
  public void putFile(String name, Path file) throws IOException {
    put(name, Files.readAllBytes(file));
  }

  @Override
  public synchronized void create(String name, byte[] bytes) throws IOException {
    if (objects.putIfAbsent(name, new Stored(bytes.clone(), Instant.now())) != null) {
      throw new ObjectExistsException(name);
    }
  }

  @Override
  public synchronized List<ObjectEntry> list(String prefix) {
    List<ObjectEntry> entries = new ArrayList<>();
    objects
        .tailMap(prefix, true)
        .forEach((name, stored) -> {
          if (name.startsWith(prefix)) {
            entries.add(new ObjectEntry(name, stored.bytes().length, stored.modified()));
          }
        });
    return entries;
  }

  @Override
  public synchronized void delete(String name) {
    objects.remove(name);
  }
}
