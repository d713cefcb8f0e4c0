package dev.varve.engine.catalog;

import dev.varve.engine.PageserverException;
import dev.varve.engine.bytes.LittleEndian;
import dev.varve.engine.layer.Chain;
import dev.varve.engine.postgres.ForkNumber;
import dev.varve.engine.postgres.Lsn;
import dev.varve.engine.postgres.Page;
import dev.varve.engine.postgres.RelFileLocator;
import dev.varve.engine.read.PageReader;
import dev.varve.engine.redo.Slru;
import dev.varve.engine.tree.KeySpace;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A cluster's state beside its pages as of one LSN, read from the layers when asked for. Any
 * thread; cheap to make.
 */
public final class ClusterView {
  /** Forks that a page of a listing looks at: tens of milliseconds, and 72 kB. */
  public static final int PAGE_FORKS = 8192;

  private final PageReader reader;
  private final RelationDictionary dictionary;
  private final long lsn;

  public ClusterView(PageReader reader, RelationDictionary dictionary, long lsn) {
    this.reader = reader;
    this.dictionary = dictionary;
    this.lsn = lsn;
  }

  public long lsn() {
    return lsn;
  }

  /** Blocks of a fork (unsigned), or -1 when it does not exist. */
  public int relationSize(RelFileLocator relation, int fork) {
    int id =
        dictionary.find(
            relation.tablespaceOid(), relation.databaseOid(), relation.relationNumber(), fork);
    return id < 0 ? -1 : relationSize(id);
  }

  public int relationSize(int relationId) {
    byte[] value = reader.value(KeySpace.key(KeySpace.RELATION_SIZE, relationId), lsn);
    return value == null || value.length == 0 ? -1 : LittleEndian.i32(value, 0);
  }

  /**
   * The forks in one database's directory in one tablespace, by the order in which they first
   * appeared, a page at a time. An unlogged relation is shown as it is after a reset: only its init
   * fork and a main fork that is the same.
   *
   * @param position 0, or {@link RelationPage#nextPosition} of the page before
   * @param limit of the forks that are looked at, those that exist no more among them
   */
  public RelationPage relations(int tablespaceOid, int databaseOid, int position, int limit) {
    int[] ids = dictionary.idsIn(tablespaceOid, databaseOid, position, limit);
    RelationPage page = new RelationPage(ids.length < limit ? 0 : ids[limit - 1] + 1, ids.length);
    for (int id : ids) {
      int blocks = relationSize(id);
      if (blocks != -1) {
        show(tablespaceOid, databaseOid, dictionary.locator(id).relationNumber(), id, blocks, page);
      }
    }
    return page;
  }

  /**
   * All of {@link #relations(int, int, int, int)}, an object each: for a directory that is known to
   * be small.
   */
  public List<RelationEntry> relations(int tablespaceOid, int databaseOid) {
    List<RelationEntry> found = new ArrayList<>();
    int position = 0;
    do {
      RelationPage page = relations(tablespaceOid, databaseOid, position, PAGE_FORKS);
      for (int i = 0; i < page.size(); i++) {
        found.add(page.entry(i));
      }
      position = page.nextPosition();
    } while (position != 0);
    return found;
  }

  /** The forks of one relation in one database's directory, as {@link #relations} shows them. */
  public RelationPage relation(int tablespaceOid, int databaseOid, int relationNumber) {
    RelationPage page = new RelationPage(0, ForkNumber.COUNT);
    for (int fork = 0; fork < ForkNumber.COUNT; fork++) {
      int id = dictionary.find(tablespaceOid, databaseOid, relationNumber, fork);
      int blocks = id < 0 ? -1 : relationSize(id);
      if (blocks != -1) {
        show(tablespaceOid, databaseOid, relationNumber, id, blocks, page);
      }
    }
    return page;
  }

  private void show(
      int tablespaceOid, int databaseOid, int number, int id, int blocks, RelationPage page) {
    int fork = dictionary.fork(id);
    if (fork == ForkNumber.INIT) {
      page.add(number, fork, blocks, fork);
      page.add(number, ForkNumber.MAIN, blocks, ForkNumber.INIT);
      return;
    }
    int init = dictionary.find(tablespaceOid, databaseOid, number, ForkNumber.INIT);
    if (init < 0 || relationSize(init) == -1) {
      page.add(number, fork, blocks, fork);
    }
  }

  /** The OIDs or ids that exist in one of the key spaces that have a directory. */
  List<Integer> directory(int keySpace) {
    byte[] value = reader.value(KeySpace.key(KeySpace.DIRECTORY, keySpace), lsn);
    if (value == null) {
      return List.of();
    }
    List<Integer> ids = new ArrayList<>();
    for (int i = 0; i < LittleEndian.i32(value, 0); i++) {
      ids.add(LittleEndian.i32(value, 4 + 4 * i));
    }
    return ids;
  }

  DatabaseDirectories database(int databaseOid) {
    byte[] value = reader.value(KeySpace.key(KeySpace.DATABASE, databaseOid), lsn);
    return value == null ? DatabaseDirectories.NONE : DatabaseDirectories.decode(value);
  }

  /**
   * One directory of a database.
   *
   * @param databaseOid 0 for {@code global/}
   * @param relationMap the bytes of its {@code pg_filenode.map}, null in a tablespace that is not
   *     the database's own: no {@code PG_VERSION} is there either
   */
  public record Directory(int databaseOid, int tablespaceOid, byte @Nullable [] relationMap) {}

  /**
   * Every database directory, {@code global/} among them; none in a tablespace that does not exist,
   * though state of older releases names them.
   */
  public List<Directory> directories() {
    Set<Integer> tablespaces = new HashSet<>(directory(KeySpace.TABLESPACE));
    tablespaces.add(RelFileLocator.DEFAULT_TABLESPACE);
    tablespaces.add(RelFileLocator.GLOBAL_TABLESPACE);
    List<Directory> found = new ArrayList<>();
    for (int oid : directory(KeySpace.DATABASE)) {
      for (DatabaseDirectories.Directory directory : database(oid).directories()) {
        if (tablespaces.contains(directory.tablespaceOid())) {
          found.add(new Directory(oid, directory.tablespaceOid(), directory.relationMap()));
        }
      }
    }
    return found;
  }

  /** OID → location of every tablespace but the two built-in ones; empty: made in place. */
  public Map<Integer, String> tablespaces() {
    Map<Integer, String> found = new LinkedHashMap<>();
    for (int oid : directory(KeySpace.TABLESPACE)) {
      byte[] value = reader.value(KeySpace.key(KeySpace.TABLESPACE, oid), lsn);
      if (value == null) {
        throw missing("tablespace " + Integer.toUnsignedString(oid));
      }
      found.put(oid, new String(value, StandardCharsets.UTF_8));
    }
    return found;
  }

  /**
   * A prepared transaction.
   *
   * @param fullXid with its epoch
   * @param stateFile what {@code pg_twophase} holds for it
   */
  public record Prepared(long fullXid, byte[] stateFile) {}

  /** Those of the prepared transactions, to ask for {@link #prepared} one after the other. */
  public List<Integer> preparedXids() {
    return directory(KeySpace.TWO_PHASE);
  }

  public Prepared prepared(int xid) {
    byte[] value =
        required(
            KeySpace.key(KeySpace.TWO_PHASE, xid), "transaction " + Integer.toUnsignedString(xid));
    return new Prepared(LittleEndian.i64(value, 0), Arrays.copyOfRange(value, 8, value.length));
  }

  /** How far a replication origin has been replayed. */
  public record Origin(int id, long remoteLsn, long localLsn) {}

  public List<Origin> origins() {
    List<Origin> found = new ArrayList<>();
    for (int id : directory(KeySpace.REPLICATION_ORIGIN)) {
      byte[] value = required(KeySpace.key(KeySpace.REPLICATION_ORIGIN, id), "origin " + id);
      found.add(new Origin(id, LittleEndian.i64(value, 0), LittleEndian.i64(value, 8)));
    }
    return found;
  }

  SlruBounds slru(int slru) {
    byte[] value = reader.value(KeySpace.key(KeySpace.SLRU_BOUNDS, slru), lsn);
    return value == null ? SlruBounds.NONE : SlruBounds.decode(value);
  }

  /** The first page of an SLRU (numbered as in {@code ClusterEffects}) that exists. */
  public long slruFirstPage(int slru) {
    return slru(slru).firstPage();
  }

  /** One more than its newest page; below the first one when page numbers wrapped. */
  public long slruEndPage(int slru) {
    return slru(slru).endPage();
  }

  /**
   * Reads an SLRU page.
   *
   * @return whether there is one; else {@code target} is zeroed
   */
  public boolean slruPage(int slru, int page, byte[] target) {
    if (reader.page(KeySpace.key(KeySpace.FIRST_SLRU + slru, page), lsn, target, new Chain())) {
      return true;
    }
    Arrays.fill(target, 0, Page.SIZE, (byte) 0);
    return false;
  }

  /**
   * A run of SLRU pages within one segment. A page that there is none of, in a segment that has
   * others, is zeros: a hole in its file.
   *
   * @throws PageserverException.InvalidRequest when the run leaves its segment
   * @throws PageserverException.NotFound when it leaves the bounds, or its segment has no page
   */
  public byte[][] slruPages(int slru, long first, int count) {
    long segment = SlruBounds.startOfSegment(first);
    if (first + count > segment + Slru.PAGES_PER_SEGMENT) {
      throw new PageserverException.InvalidRequest(
          count + " pages of an SLRU from " + first + " on do not lie in one segment");
    }
    SlruBounds bounds = slru(slru);
    SlruBounds files = bounds.startingAt(SlruBounds.startOfSegment(bounds.firstPage()));
    byte[][] pages = new byte[count][Page.SIZE];
    boolean known = false;
    for (int i = 0; i < count; i++) {
      if (!files.contains(first + i)) {
        throw noSlruPage(slru, first + i);
      }
      known |= slruPage(slru, (int) (first + i), pages[i]);
    }
    byte[] other = new byte[Page.SIZE];
    for (long page = segment; !known; page++) {
      if (page == segment + Slru.PAGES_PER_SEGMENT) {
        throw noSlruPage(slru, first);
      }
      known = slruPage(slru, (int) page, other);
    }
    return pages;
  }

  private PageserverException.NotFound noSlruPage(int slru, long page) {
    return new PageserverException.NotFound(
        "no page %d of SLRU %d at %s".formatted(page, slru, Lsn.format(lsn)));
  }

  /** The contents of a TLI's history file; null when there is none. */
  public byte @Nullable [] timelineHistory(int tli) {
    return reader.value(KeySpace.key(KeySpace.TIMELINE_HISTORY, tli), lsn);
  }

  /** The control file up to its CRC, parameters current. */
  public byte[] controlFile() {
    return required(KeySpace.key(KeySpace.CONTROL, KeySpace.CONTROL_FILE), "control file");
  }

  /** 88 bytes of a {@code CheckPoint} with current counters, but for {@link #nextXid}. */
  public byte[] checkPoint() {
    return required(KeySpace.key(KeySpace.CONTROL, KeySpace.CONTROL_CHECKPOINT), "checkpoint");
  }

  /** The next full transaction id. */
  public long nextXid() {
    return LittleEndian.i64(
        required(KeySpace.key(KeySpace.CONTROL, KeySpace.CONTROL_NEXT_XID), "next xid"), 0);
  }

  /**
   * The primary's settings, as far as it was asked; else none. They hold from before the LSN that
   * they are stamped with: the newest of all are looked at first, whatever their stamp.
   */
  public ClusterSettings settings() {
    long key = KeySpace.key(KeySpace.CONTROL, KeySpace.CONTROL_SETTINGS);
    PageReader.Version version = reader.version(key, -1);
    while (version != null) {
      ClusterSettings settings = ClusterSettings.decode(version.value());
      if (Long.compareUnsigned(settings.lsn(), lsn) <= 0) {
        return settings;
      }
      version = reader.version(key, version.lsn() - 1);
    }
    return ClusterSettings.NONE;
  }

  private byte[] required(long key, String what) {
    byte[] value = reader.value(key, lsn);
    if (value == null || value.length == 0) {
      throw missing(what);
    }
    return value;
  }

  private PageserverException.Corrupt missing(String what) {
    return new PageserverException.Corrupt("no " + what + " at " + Lsn.format(lsn));
  }
}
