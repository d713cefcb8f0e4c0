package dev.varve.engine.store;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.SplittableRandom;

/**
 * A store that fails by seed. The faults: a call that fails before it did anything, and a write
 * that was done but whose answer is lost. Nothing is ever read wrong or short: what a real store
 * returns with success is what was written.
 */
public final class FaultyObjectStore implements ObjectStore {
  private final ObjectStore inner;
  private final SplittableRandom random;
  private final int percent;
  private volatile boolean down;

  /**
   * @param percent of calls that fail
   */
  public FaultyObjectStore(ObjectStore inner, long seed, int percent) {
    this.inner = inner;
    this.random = new SplittableRandom(seed);
    this.percent = percent;
  }

  /** Whether every call fails. */
  public void setDown(boolean isDown) {
    down = isDown;
  }

  private synchronized int die() {
    return random.nextInt(100);
  }

  private void before() throws IOException {
    if (down || die() < percent) {
      throw new IOException("the store does not answer");
    }
  }

  private void after() throws IOException {
    if (die() < percent) {
      throw new IOException("the answer was lost");
    }
  }

  @Override
  public byte[] get(String name) throws IOException {
    before();
    return inner.get(name);
  }

  @Override
  public byte[] getRange(String name, long offset, int length) throws IOException {
    before();
    return inner.getRange(name, offset, length);
  }

  @Override
  public void put(String name, byte[] bytes) throws IOException {
    before();
    inner.put(name, bytes);
    after();
  }

  @Override
  public void putFile(String name, Path file) throws IOException {
    before();
    inner.putFile(name, file);
    after();
  }

  @Override
  public void create(String name, byte[] bytes) throws IOException {
    before();
    inner.create(name, bytes);
    after();
  }

  @Override
  public List<ObjectEntry> list(String prefix) throws IOException {
    before();
    return inner.list(prefix);
  }

  @Override
  public void delete(String name) throws IOException {
    before();
    inner.delete(name);
    after();
  }
}
