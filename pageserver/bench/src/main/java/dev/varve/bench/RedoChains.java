package dev.varve.bench;

import dev.varve.engine.bytes.ByteWriter;
import dev.varve.engine.layer.Chain;
import dev.varve.engine.layer.ImagePage;
import dev.varve.engine.layer.ValueKind;
import dev.varve.engine.postgres.Lsn;
import dev.varve.engine.postgres.Page;
import dev.varve.engine.postgres.PostgresMajor;
import dev.varve.engine.read.ChainReplay;
import dev.varve.engine.redo.Redo;
import dev.varve.engine.redo.RedoContext;
import dev.varve.engine.redo.ResourceManagers;
import dev.varve.engine.wal.BlockRecord;
import dev.varve.engine.wal.WalDecoder;
import dev.varve.engine.wal.WalRecord;
import dev.varve.testkit.PostgresServer;
import dev.varve.testkit.TpcB;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Chains of pages out of the WAL of a real server without full-page writes, one list for each kind
 * of page that {@link RedoBench} replays. Captured once into a file.
 */
final class RedoChains {
  static final RedoContext CONTEXT = new RedoContext(PostgresMajor.V17, false);

  private static final int SEGMENT_BYTES = WalSegments.SEGMENT_BYTES;
  private static final int MIXED_PAGES = 2000;

  private record PageId(int database, int relation, int fork, int block) {}

  private final PostgresServer server;
  private final Map<PageId, List<RedoChain.Entry>> chains = new LinkedHashMap<>();

  private RedoChains(PostgresServer server) {
    this.server = server;
  }

  /** The chains of one kind: {@code short}, {@code medium}, {@code btree} or {@code mixed}. */
  static List<RedoChain> load(String kind) throws Exception {
    Path directory = Path.of(System.getProperty("varve.bench.directory", "."));
    Path file = directory.resolve("redo-" + kind + ".bin");
    if (!Files.exists(file)) {
      capture(directory);
    }
    try (DataInputStream in =
        new DataInputStream(new BufferedInputStream(Files.newInputStream(file)))) {
      int count = in.readInt();
      List<RedoChain> chains = new ArrayList<>(count);
      for (int i = 0; i < count; i++) {
        chains.add(RedoChain.read(in));
      }
      return chains;
    }
  }

  private static void save(Path directory, String kind, List<RedoChain> chains) throws IOException {
    if (chains.isEmpty()) {
      throw new IllegalStateException("the workload made no chain of kind " + kind);
    }
    Path file = directory.resolve("redo-" + kind + ".bin");
    try (DataOutputStream out =
        new DataOutputStream(new BufferedOutputStream(Files.newOutputStream(file)))) {
      out.writeInt(chains.size());
      for (RedoChain chain : chains) {
        chain.write(out);
      }
    }
  }

  private static void capture(Path directory) throws Exception {
    try (PostgresServer server =
        PostgresServer.builder(17)
            .setting("full_page_writes", "off")
            .setting("autovacuum", "off")
            .setting("wal_keep_size", "16GB")
            .setting("max_wal_size", "16GB")
            .setting("synchronous_commit", "off")
            .start()) {
      RedoChains capture = new RedoChains(server);
      long start = capture.startLsn();
      server.execute(
          "postgres",
          "create table narrow(a int, b int)",
          "create table wide(a int, filler text)",
          "create table indexed(a int primary key)",
          """
          do $$ begin
            for i in 1..2000 loop insert into narrow values (i, i); end loop;
            for i in 1..200 loop insert into wide values (i, repeat('x', 480)); end loop;
            for i in 1..5000 loop insert into indexed values (i * 7919 % 10007); end loop;
          end $$\
          """);
      long pgbench = capture.startLsn();
      capture.read(start, pgbench);
      int narrow = capture.fileNode("narrow");
      int wide = capture.fileNode("wide");
      int index = capture.fileNode("indexed_pkey");
      save(directory, "short", capture.shortChain(wide));
      save(directory, "medium", capture.mediumChain(narrow));
      save(directory, "btree", capture.leafChain(index));
      TpcB load = new TpcB(server, 1);
      load.initialize();
      load.run(2, 1, done -> done >= 5000);
      capture.chains.clear();
      capture.read(pgbench, capture.startLsn());
      save(directory, "mixed", capture.mixedChains());
    }
  }

  /** A segment's start, behind which nothing was written yet. */
  private long startLsn() throws SQLException {
    server.execute("postgres", "select pg_switch_wal()");
    long lsn = Lsn.parse(server.query("postgres", "select pg_current_wal_insert_lsn()"));
    return lsn & -SEGMENT_BYTES;
  }

  private int fileNode(String relation) throws SQLException {
    return Integer.parseUnsignedInt(
        server.query("postgres", "select pg_relation_filenode('" + relation + "')"));
  }

  private void read(long startLsn, long endLsn) {
    WalDecoder decoder = new WalDecoder(CONTEXT.major(), SEGMENT_BYTES, 0);
    decoder.startInside(startLsn);
    WalRecord record = new WalRecord();
    for (long lsn = startLsn; lsn < endLsn; lsn += SEGMENT_BYTES) {
      byte[] bytes =
          WalSegments.read(server.dataDirectory(), lsn, Math.min(lsn + SEGMENT_BYTES, endLsn));
      decoder.feed(lsn, bytes, 0, bytes.length);
      while (decoder.next(record)) {
        for (int id = 0; id <= record.maxBlockId; id++) {
          if (record.blockPresent[id]) {
            add(record, id);
          }
        }
      }
    }
  }

  private void add(WalRecord record, int id) {
    PageId page =
        new PageId(
            record.blockDatabase[id],
            record.blockRelation[id],
            record.blockFork[id],
            record.blockNumber[id]);
    if (record.blockImageApplies[id] || record.willInit(id)) {
      // What was before does not matter any more: the chain begins here.
      chains.put(page, new ArrayList<>());
    }
    List<RedoChain.Entry> chain = chains.get(page);
    if (chain == null) {
      return;
    }
    if (record.blockImageApplies[id]) {
      byte[] bytes = new byte[Page.SIZE];
      Redo.restoreImage(record, id, bytes);
      chain.add(image(bytes, record.endLsn));
      return;
    }
    if (record.willInit(id)) {
      chain.add(new RedoChain.Entry(ValueKind.ZERO_PAGE, record.endLsn, new byte[0]));
    }
    ByteWriter slim = new ByteWriter();
    BlockRecord.encode(
        record, id, ResourceManagers.of(record.rmid).redoMainLength(record), false, slim);
    chain.add(new RedoChain.Entry(ValueKind.RECORD, record.endLsn, slim.toByteArray()));
  }

  private static RedoChain.Entry image(byte[] page, long lsn) {
    byte[] encoded = new byte[ImagePage.MAX_BYTES];
    int length = ImagePage.encode(page, encoded);
    return new RedoChain.Entry(ValueKind.IMAGE, lsn, Arrays.copyOf(encoded, length));
  }

  private List<RedoChain.Entry> page(int relation, int block) {
    for (Map.Entry<PageId, List<RedoChain.Entry>> each : chains.entrySet()) {
      PageId page = each.getKey();
      if (page.relation == relation && page.fork == 0 && page.block == block) {
        return each.getValue();
      }
    }
    throw new IllegalStateException("no chain of block " + block + " of " + relation);
  }

  /** The image of a page, and the two records of some 500 bytes behind it. */
  private List<RedoChain> shortChain(int wide) {
    return List.of(afterImage(page(wide, 1), 2));
  }

  /** Everything from the empty page to the full one. */
  private List<RedoChain> mediumChain(int narrow) {
    return List.of(new RedoChain(page(narrow, 1)));
  }

  /** The image of a leaf and the last inserts into it. */
  private List<RedoChain> leafChain(int index) {
    List<RedoChain.Entry> longest = List.of();
    for (Map.Entry<PageId, List<RedoChain.Entry>> each : chains.entrySet()) {
      if (each.getKey().relation == index
          && each.getKey().block > 0
          && each.getValue().size() > longest.size()) {
        longest = each.getValue();
      }
    }
    return List.of(afterImage(longest, Math.min(100, longest.size() / 2)));
  }

  /** Makes an image of what comes before the last {@code records} entries. */
  private static RedoChain afterImage(List<RedoChain.Entry> entries, int records) {
    int split = entries.size() - records;
    byte[] page = new byte[Page.SIZE];
    Chain before = new RedoChain(entries.subList(0, split)).collect();
    ChainReplay.replay(0, 0, before, page, CONTEXT);
    List<RedoChain.Entry> shorter = new ArrayList<>();
    shorter.add(image(page, entries.get(split - 1).lsn()));
    shorter.addAll(entries.subList(split, entries.size()));
    return new RedoChain(shorter);
  }

  /** Pages of pgbench's tables and indexes as chance has it; no chain is longer than in layers. */
  private List<RedoChain> mixedChains() {
    List<RedoChain> all = new ArrayList<>();
    for (List<RedoChain.Entry> entries : chains.values()) {
      if (entries.size() > 2) {
        all.add(entries.size() <= 65 ? new RedoChain(entries) : afterImage(entries, 64));
      }
    }
    List<RedoChain> spread = new ArrayList<>();
    int step = Math.max(1, all.size() / MIXED_PAGES);
    for (int i = 0; i < all.size(); i += step) {
      spread.add(all.get(i));
    }
    return spread;
  }
}
