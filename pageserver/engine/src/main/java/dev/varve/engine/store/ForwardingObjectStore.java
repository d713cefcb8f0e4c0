package dev.varve.engine.store;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Hands every call on to another store; a subclass changes a few of them. */
public abstract class ForwardingObjectStore implements ObjectStore {
  private final ObjectStore inner;

  protected ForwardingObjectStore(ObjectStore inner) {
    this.inner = inner;
  }

  @Override
  public byte[] get(String name) throws IOException {
    return inner.get(name);
  }

  @Override
  public byte[] getRange(String name, long offset, int length) throws IOException {
    return inner.getRange(name, offset, length);
  }

  @Override
  public void put(String name, byte[] bytes) throws IOException {
    inner.put(name, bytes);
  }

  @Override
  public void putFile(String name, Path file) throws IOException {
    inner.putFile(name, file);
  }

  @Override
  public void create(String name, byte[] bytes) throws IOException {
    inner.create(name, bytes);
  }

  @Override
  public List<ObjectEntry> list(String prefix) throws IOException {
    return inner.list(prefix);
  }

  @Override
  public List<ObjectEntry> list(String prefix, String after) throws IOException {
    return inner.list(prefix, after);
  }

  @Override
  public void delete(String name) throws IOException {
    inner.delete(name);
  }

  @Override
  public @Nullable StoreFailure failure(String prefix) {
    return inner.failure(prefix);
  }
}
