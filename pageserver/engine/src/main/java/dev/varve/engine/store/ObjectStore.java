package dev.varve.engine.store;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Named immutable objects in a flat name space, strongly consistent: a listing or read that starts
 * after a write returned sees it. Names are non-empty, made of {@code [a-z0-9._-]} and {@code /},
 * without empty, {@code .} or {@code ..} segments. Calls block; the caller brings the thread.
 * Implementations are safe for use by many threads.
 *
 * <p>Failures: {@link ObjectNotFoundException} for a name that is not there, {@link
 * ObjectExistsException} from {@link #create} when it is; {@link StoreRefusedException} when a
 * person has to mend something, {@link StoreThrottledException} when the store wants fewer
 * requests; any other {@link IOException} means "not known whether it happened, try again": retries
 * belong to one decorator, and all calls but {@code create} may simply be repeated. Calls end with
 * an {@link IOException} soon after the caller's {@link StoreDeadline}, or an interrupt, when they
 * wait.
 */
public interface ObjectStore {
  /** The whole object. */
  byte[] get(String name) throws IOException;

  /**
   * Bytes {@code offset} to {@code offset + length} of the object.
   *
   * @throws IOException when the object ends before that
   */
  byte[] getRange(String name, long offset, int length) throws IOException;

  /** Stores an object, replacing what has that name. */
  void put(String name, byte[] bytes) throws IOException;

  /** Stores a file's contents, replacing what has that name. */
  void putFile(String name, Path file) throws IOException;

  /**
   * Stores an object unless one has that name: of several racing callers exactly one succeeds.
   *
   * @throws ObjectExistsException when there is one already
   */
  void create(String name, byte[] bytes) throws IOException;

  /** Every object whose name starts with {@code prefix}, sorted by name (bytewise). */
  List<ObjectEntry> list(String prefix) throws IOException;

  /**
   * Some of {@link #list}: the first of those behind {@code after}, in order, at least one unless
   * none is left. How many is up to the store, so that who goes through very many needs not hold
   * all.
   */
  default List<ObjectEntry> list(String prefix, String after) throws IOException {
    return list(prefix).stream().filter(entry -> entry.name().compareTo(after) > 0).toList();
  }

  /** Removes the object; nothing happens when there is none. */
  void delete(String name) throws IOException;

  /**
   * What fails just now of calls for objects below {@code prefix} and is tried again; null: nothing
   * that is known.
   */
  default @Nullable StoreFailure failure(String prefix) {
    return null;
  }
}
