package dev.varve.engine.redo;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;

/** Writes down what it is told, one line an effect, for tests. */
public class RecordingEffects implements ClusterEffects {
  private static final List<String> SLRUS = List.of("xact", "offsets", "members", "commit_ts");

  private final List<String> lines = new ArrayList<>();
  private final boolean tracksCommitTimestamps;

  public RecordingEffects(boolean tracksCommitTimestamps) {
    this.tracksCommitTimestamps = tracksCommitTimestamps;
  }

  public final List<String> lines() {
    return lines;
  }

  private void add(String what, Object... arguments) {
    StringBuilder line = new StringBuilder(what);
    for (Object argument : arguments) {
      line.append(' ').append(argument);
    }
    lines.add(line.toString());
  }

  private static String hex(byte[] bytes, int offset, int length) {
    return HexFormat.of().formatHex(Arrays.copyOfRange(bytes, offset, offset + length));
  }

  @Override
  public void createRelation(int tablespaceOid, int databaseOid, int relationNumber, int fork) {
    add("createRelation", tablespaceOid, databaseOid, relationNumber, fork);
  }

  @Override
  public void truncateRelation(
      int tablespaceOid, int databaseOid, int relationNumber, int fork, int blocks) {
    add("truncateRelation", tablespaceOid, databaseOid, relationNumber, fork, blocks);
  }

  @Override
  public void dropRelation(int tablespaceOid, int databaseOid, int relationNumber) {
    add("dropRelation", tablespaceOid, databaseOid, relationNumber);
  }

  @Override
  public void createDatabase(int databaseOid, int tablespaceOid) {
    add("createDatabase", databaseOid, tablespaceOid);
  }

  @Override
  public void copyDatabase(
      int sourceDatabaseOid, int sourceTablespaceOid, int databaseOid, int tablespaceOid) {
    add("copyDatabase", sourceDatabaseOid, sourceTablespaceOid, databaseOid, tablespaceOid);
  }

  @Override
  public void dropDatabase(int databaseOid, int[] tablespaceOids) {
    for (int tablespaceOid : tablespaceOids) {
      add("dropDatabase", databaseOid, tablespaceOid);
    }
  }

  @Override
  public void createTablespace(int tablespaceOid, String location) {
    add("createTablespace", tablespaceOid, location);
  }

  @Override
  public void dropTablespace(int tablespaceOid) {
    add("dropTablespace", tablespaceOid);
  }

  @Override
  public void relationMap(
      int databaseOid, int tablespaceOid, byte[] bytes, int offset, int length) {
    add("relationMap", databaseOid, tablespaceOid, length, bytes[offset]);
  }

  @Override
  public void deriveBlock(
      int tablespaceOid,
      int databaseOid,
      int relationNumber,
      int fork,
      int block,
      boolean extend,
      byte[] op,
      int offset,
      int length) {
    add(
        "deriveBlock",
        tablespaceOid,
        databaseOid,
        relationNumber,
        fork,
        block,
        extend,
        hex(op, offset, length));
  }

  @Override
  public void zeroSlruPage(int slru, int page) {
    add("zeroSlruPage", SLRUS.get(slru), page);
  }

  @Override
  public void deriveSlru(int slru, int page, byte[] op, int offset, int length) {
    add("deriveSlru", SLRUS.get(slru), page, hex(op, offset, length));
  }

  @Override
  public void truncateSlru(int slru, int firstPage) {
    add("truncateSlru", SLRUS.get(slru), firstPage);
  }

  @Override
  public void prepareTransaction(int xid, byte[] bytes, int offset, int length) {
    add("prepareTransaction", xid, hex(bytes, offset, length));
  }

  @Override
  public void forgetPrepared(int xid) {
    add("forgetPrepared", xid);
  }

  @Override
  public void advanceNextXid(int xid) {
    add("advanceNextXid", Integer.toUnsignedString(xid));
  }

  @Override
  public void nextOid(int oid) {
    add("nextOid", oid);
  }

  @Override
  public void advanceNextMulti(int nextMulti, int nextMultiOffset) {
    add("advanceNextMulti", nextMulti, nextMultiOffset);
  }

  @Override
  public void checkpoint(boolean shutdown, byte[] bytes, int offset) {
    add("checkpoint", shutdown);
  }

  @Override
  public void oldestXid(int oldestXid, int oldestXidDatabase) {
    add("oldestXid", oldestXid, oldestXidDatabase);
  }

  @Override
  public void oldestMulti(int oldestMulti, int oldestMultiDatabase) {
    add("oldestMulti", oldestMulti, oldestMultiDatabase);
  }

  @Override
  public void oldestCommitTsXid(int xid) {
    add("oldestCommitTsXid", xid);
  }

  @Override
  public void newestCommitTsXid(int xid) {
    add("newestCommitTsXid", xid);
  }

  @Override
  public void parameterChange(byte[] bytes, int offset, int length) {
    add("parameterChange", length);
  }

  @Override
  public void replicationOrigin(int originId, long remoteLsn, long localLsn) {
    add("replicationOrigin", originId, remoteLsn, localLsn);
  }

  @Override
  public void dropReplicationOrigin(int originId) {
    add("dropReplicationOrigin", originId);
  }

  @Override
  public void backupEnd(long startLsn) {
    add("backupEnd", startLsn);
  }

  @Override
  public void timelineSwitch(int newTli, int previousTli) {
    add("timelineSwitch", newTli, previousTli);
  }

  @Override
  public void commitTime(long microsSince2000) {
    add("commitTime", microsSince2000);
  }

  @Override
  public boolean tracksCommitTimestamps() {
    return tracksCommitTimestamps;
  }
}
