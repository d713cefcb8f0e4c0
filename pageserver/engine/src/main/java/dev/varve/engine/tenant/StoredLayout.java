package dev.varve.engine.tenant;

import dev.varve.engine.PageserverException;
import dev.varve.engine.bytes.ByteReader;
import dev.varve.engine.bytes.ByteWriter;
import dev.varve.engine.bytes.Enveloped;
import dev.varve.engine.catalog.Shard;
import dev.varve.engine.store.ObjectEntry;
import dev.varve.engine.store.ObjectExistsException;
import dev.varve.engine.store.ObjectNotFoundException;
import dev.varve.engine.store.ObjectStore;
import dev.varve.format.FileKind;
import java.io.IOException;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * How the pages of a timeline in the object store are dealt out over shards: the object {@code
 * layout} below the timeline's prefix, {@code docs/formats/sharding.md}. The first attachment of
 * any shard creates it; every later one, and every removal, has to be of the same layout, since
 * another one would begin an empty timeline beside the data. Where the object is missing the names
 * of the others tell.
 *
 * @param count 1 to 256; 1: the whole timeline
 * @param stripeBlocks blocks per stripe; 0 when {@code count} is 1
 */
public record StoredLayout(int count, int stripeBlocks) {
  private static final String NAME = "layout";
  private static final String SHARDS = "shards/";

  static StoredLayout of(Shard shard) {
    return new StoredLayout(shard.count(), shard.coversAll() ? 0 : shard.stripeBlocks());
  }

  /**
   * Checks that what is stored, if anything, has the layout that {@code location} tells.
   *
   * @throws PageserverException.LayoutDiffers when it has not
   * @throws PageserverException.Corrupt when it cannot be known
   */
  static void require(ObjectStore store, TimelineLocation location) throws IOException {
    StoredLayout recorded = recorded(store, location);
    if (recorded != null) {
      recorded.requireFor(location);
      return;
    }
    String prefix = location.timelinePrefix();
    for (ObjectEntry entry : store.list(prefix)) {
      String name = entry.name().substring(prefix.length());
      if (!name.equals(NAME)) {
        byName(prefix, name).requireFor(location);
      }
    }
  }

  /** Likewise, and writes it down where it is not yet. */
  static void claim(ObjectStore store, TimelineLocation location) throws IOException {
    StoredLayout recorded = recorded(store, location);
    if (recorded != null) {
      recorded.requireFor(location);
      return;
    }
    require(store, location);
    try {
      store.create(location.layout(), of(location.shard()).encode());
    } catch (ObjectExistsException e) {
      require(store, location); // by another shard, or by an earlier call whose answer was lost
    }
  }

  /** What is stored of a timeline of which some object is; of another one: whole. */
  public static StoredLayout read(ObjectStore store, TimelineLocation whole) throws IOException {
    StoredLayout recorded = recorded(store, whole);
    if (recorded != null) {
      return recorded;
    }
    List<ObjectEntry> entries = store.list(whole.timelinePrefix());
    return entries.isEmpty()
        ? of(Shard.WHOLE)
        : byName(
            whole.timelinePrefix(),
            entries.getFirst().name().substring(whole.timelinePrefix().length()));
  }

  /** Each shard's place. */
  public List<TimelineLocation> shards(TimelineLocation whole) {
    return IntStream.range(0, count)
        .mapToObj(i ->
            new TimelineLocation(
                whole.tenant(),
                whole.uid(),
                count == 1 ? Shard.WHOLE : new Shard(i, count, stripeBlocks)))
        .toList();
  }

  /** Null when it is not written down. */
  private static @Nullable StoredLayout recorded(ObjectStore store, TimelineLocation location)
      throws IOException {
    String name = location.layout();
    try {
      return decode(name, store.get(name));
    } catch (ObjectNotFoundException e) {
      return null;
    }
  }

  private static StoredLayout byName(String prefix, String name) {
    if (!name.startsWith(SHARDS)) {
      return of(Shard.WHOLE);
    }
    int end = name.indexOf('/', SHARDS.length());
    try {
      return of(Shard.parse(name.substring(SHARDS.length(), end < 0 ? name.length() : end)));
    } catch (PageserverException.InvalidRequest e) {
      throw new PageserverException.Corrupt(prefix + name + " belongs to no shard", e);
    }
  }

  private void requireFor(TimelineLocation location) {
    StoredLayout wanted = of(location.shard());
    if (!equals(wanted)) {
      throw new PageserverException.LayoutDiffers(
          "the object store has "
              + TimelineLocation.whole(location.tenant(), location.uid())
              + " written as "
              + this
              + ", not as "
              + wanted
              + ": attach it so, or make another timeline");
    }
  }

  byte[] encode() {
    ByteWriter out = new ByteWriter();
    out.u16(count);
    out.i32(stripeBlocks);
    return Enveloped.seal(FileKind.LAYOUT, out);
  }

  /**
   * @throws PageserverException when it cannot be read, or is something else
   */
  static StoredLayout decode(String name, byte[] bytes) {
    ByteReader in = Enveloped.open(FileKind.LAYOUT, name, bytes);
    StoredLayout layout = new StoredLayout(in.u16(), in.i32());
    in.end();
    return layout;
  }

  /** As a Tenant says it. */
  @Override
  public String toString() {
    return count == 1 ? "1 shard" : count + " shards with stripes of " + stripeBlocks + " blocks";
  }
}
