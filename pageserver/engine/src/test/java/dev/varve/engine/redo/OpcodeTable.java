package dev.varve.engine.redo;

import dev.varve.engine.postgres.Page;
import dev.varve.engine.postgres.PostgresMajor;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * What the oracle tests are to reach, as {@code opcodes.txt} says, and {@code docs/fidelity.md}
 * made of it.
 */
final class OpcodeTable {
  /** Pages that the oracle tests together compare at least on each major. */
  static final long LEAST_PAGES = 650_000;

  static final String IMAGE = "image";
  static final String READ = "read";
  static final String NONE = "-";

  /**
   * One kind of record.
   *
   * @param cells one for each major, in order
   * @param note empty, or why something is not compared
   */
  record Row(String manager, int info, String name, List<String> cells, String note) {
    /** How {@link OracleCoverage} names it. */
    String key() {
      return manager + "/0x" + Integer.toHexString(info);
    }

    String cell(PostgresMajor major) {
      return cells.get(major.ordinal());
    }
  }

  private OpcodeTable() {}

  static List<Row> rows() throws IOException {
    List<Row> rows = new ArrayList<>();
    try (InputStream in = OpcodeTable.class.getResourceAsStream("opcodes.txt")) {
      if (in == null) {
        throw new IOException("opcodes.txt is missing");
      }
      for (String line : new String(in.readAllBytes(), StandardCharsets.UTF_8).split("\n", -1)) {
        if (!line.isBlank() && !line.startsWith("#")) {
          rows.add(row(line));
        }
      }
    }
    return rows;
  }

  private static Row row(String line) {
    String[] parts = line.split("\\|", -1);
    String[] head = parts[0].strip().split(" ", 3);
    int majors = PostgresMajor.values().length;
    int given = parts.length - 2;
    if (given != 1 && given != 2 && given != majors) {
      throw new IllegalArgumentException(given + " cells in: " + line);
    }
    List<String> cells = new ArrayList<>();
    for (int major = 0; major < majors; major++) {
      cells.add(parts[1 + major * given / majors].strip());
    }
    return new Row(
        head[0], Integer.decode(head[1]), head[2], cells, parts[parts.length - 1].strip());
  }

  /** The whole of {@code docs/fidelity.md}. */
  static String render() throws IOException {
    StringBuilder text =
        new StringBuilder(
            String.format(
                Locale.ROOT,
                """
                # What is compared with PostgreSQL

                Made from `opcodes.txt` of the engine's tests by `FidelityTest`; `FidelityIT` fails when the oracle tests do not reach what it claims. How the oracles work: [testing](testing.md).

                A cell names the block references of the record whose pages are compared, masked as PostgreSQL's own consistency check does, with the page that the primary had behind the change.
                `image`: the record always brings the whole page. `read`: the record names no page; it is decoded and its effects are carried out. `-`: not reached; the note says why.

                On each major at least %,d pages are compared, %.1f GiB.

                Beyond PostgreSQL's own check: pages of the visibility map are compared as they are, and so are a heap page's all-visible flag and the LSN that the primary's page had before the change.
                Index pages are besides compared whole, free space included, with a standby's files (`StandbyOracleIT`).

                Records that never name a page (transactions, SLRUs, relation maps, databases, tablespaces, two-phase, replication origins) are compared by what they leave on disk, in `EffectsIT` and `ThinStartIT`.
                """,
                LEAST_PAGES,
                LEAST_PAGES * (double) Page.SIZE / (1 << 30)));
    Map<String, List<Row>> managers = new LinkedHashMap<>();
    for (Row row : rows()) {
      managers.computeIfAbsent(row.manager(), key -> new ArrayList<>()).add(row);
    }
    managers.forEach((manager, rows) -> {
      text.append("\n## ").append(manager).append("\n\n| Info | Record |");
      for (PostgresMajor major : PostgresMajor.values()) {
        text.append(' ').append(major.number()).append(" |");
      }
      text.append(" Note |\n|---|---|---|---|---|---|---|\n");
      for (Row row : rows) {
        text.append(String.format("| 0x%02X | %s |", row.info(), row.name()));
        row.cells().forEach(cell -> text.append(' ').append(cell).append(" |"));
        text.append(row.note().isEmpty() ? " |" : " " + row.note() + " |").append('\n');
      }
    });
    return text.toString();
  }
}
