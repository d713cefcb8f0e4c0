package dev.varve.engine.catalog;

import dev.varve.engine.PageserverException;
import dev.varve.engine.bytes.LittleEndian;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * The settings of the primary that belong to its data. WAL does not carry settings: the primary is
 * asked for them again and again. Those that differ from the last ones were set at some time since
 * it was asked before; they are taken to hold from then on, so that whoever sets one and notes the
 * LSN finds it there.
 *
 * <p>As a value: u64 LSN, then for each setting its name and its value in UTF-8, each ended by a
 * zero byte, sorted by name.
 *
 * @param lsn from where they hold: behind what had been received when the primary was last seen
 *     without them
 * @param values by name; names and values hold no zero byte
 */
public record ClusterSettings(long lsn, SortedMap<String, String> values) {
  /** Nothing was asked yet. */
  public static final ClusterSettings NONE = new ClusterSettings(0, new TreeMap<>());

  public ClusterSettings {
    values = Collections.unmodifiableSortedMap(new TreeMap<>(values));
    values.forEach((name, value) -> {
      if (name.isEmpty() || name.indexOf('\0') >= 0 || value.indexOf('\0') >= 0) {
        throw new IllegalArgumentException("a setting with a zero byte or no name: " + name);
      }
    });
  }

  public byte[] encode() {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    byte[] start = new byte[8];
    LittleEndian.putI64(start, 0, lsn);
    out.writeBytes(start);
    for (Map.Entry<String, String> setting : values.entrySet()) {
      out.writeBytes(
          (setting.getKey() + '\0' + setting.getValue() + '\0').getBytes(StandardCharsets.UTF_8));
    }
    return out.toByteArray();
  }

  static ClusterSettings decode(byte[] bytes) {
    if (bytes.length < 8 || bytes.length > 8 && bytes[bytes.length - 1] != 0) {
      throw new PageserverException.Corrupt("settings of " + bytes.length + " bytes end too soon");
    }
    String[] strings =
        new String(bytes, 8, bytes.length - 8, StandardCharsets.UTF_8).split("\0", -1);
    SortedMap<String, String> values = new TreeMap<>();
    // The last zero byte leaves an empty string behind it.
    if (strings.length % 2 == 0) {
      throw new PageserverException.Corrupt("settings with a name that has no value");
    }
    for (int i = 0; i + 1 < strings.length; i += 2) {
      values.put(strings[i], strings[i + 1]);
    }
    return new ClusterSettings(LittleEndian.i64(bytes, 0), values);
  }
}
