package dev.varve.bench;

import dev.varve.engine.layer.Chain;
import dev.varve.engine.layer.ValueKind;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/**
 * The entries of one page, from the oldest, as layers hold them: the first is a whole page. Made of
 * a real server's WAL; can be kept in a file so that every fork measures the same bytes.
 */
final class RedoChain {
  /** One entry of the chain. */
  record Entry(ValueKind kind, long lsn, byte[] bytes) {}

  private final List<Entry> entries;

  RedoChain(List<Entry> entries) {
    this.entries = List.copyOf(entries);
  }

  /** Changes after the whole page that begins the chain. */
  int records() {
    return entries.size() - 1;
  }

  /** Bytes of those changes. */
  int recordBytes() {
    return entries.stream().skip(1).mapToInt(entry -> entry.bytes.length).sum();
  }

  /** As the engine's reader collects it: the newest first. */
  Chain collect() {
    Chain chain = new Chain();
    for (Entry entry : entries.reversed()) {
      chain.add(entry.kind, entry.lsn, entry.bytes, 0, entry.bytes.length);
    }
    return chain;
  }

  void write(DataOutputStream out) throws IOException {
    out.writeInt(entries.size());
    for (Entry entry : entries) {
      out.writeUTF(entry.kind.name());
      out.writeLong(entry.lsn);
      out.writeInt(entry.bytes.length);
      out.write(entry.bytes);
    }
  }

  static RedoChain read(DataInputStream in) throws IOException {
    int count = in.readInt();
    List<Entry> entries = new ArrayList<>(count);
    for (int i = 0; i < count; i++) {
      ValueKind kind = ValueKind.valueOf(in.readUTF());
      long lsn = in.readLong();
      entries.add(new Entry(kind, lsn, in.readNBytes(in.readInt())));
    }
    return new RedoChain(entries);
  }
}
