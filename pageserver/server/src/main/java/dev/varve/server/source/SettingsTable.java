package dev.varve.server.source;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Which of PostgreSQL's settings belong to the data, and which do not: a copy answers queries as
 * its original does, and acts for nobody. The table is the resource {@code settings.txt}, which
 * names every setting of each supported major (PostgreSQL 17 src/backend/utils/misc/guc_tables.c)
 * and of usual extensions once; docs/operations/copy.md repeats it. Immutable.
 */
final class SettingsTable {
  /** Where a copy takes a setting from. */
  enum Origin {
    /** The primary: answers depend on it. */
    DATA,
    /** The primary, when the compute is allowed to. */
    LIBRARY,
    /** The control file and the files of the image. */
    CLUSTER,
    /** Off, unless the compute is allowed to. */
    HELD_BACK,
    /** Each client. */
    SESSION,
    /** The machine that the copy runs on. */
    MACHINE;

    /** As the table and the documents write it. */
    String word() {
      return name().toLowerCase(Locale.ROOT).replace('_', ' ');
    }
  }

  /**
   * Settings of which the same is to be said.
   *
   * @param why what they do, or why they have this origin
   */
  record Group(Origin origin, String why, List<String> names) {}

  private static final SettingsTable TABLE = load();

  private final List<Group> groups;
  private final Map<String, Origin> origins = new HashMap<>();

  private SettingsTable(List<Group> groups) {
    this.groups = List.copyOf(groups);
    for (Group group : groups) {
      for (String name : group.names()) {
        if (origins.put(name, group.origin()) != null) {
          throw new IllegalStateException("settings.txt names " + name + " twice");
        }
      }
    }
  }

  static SettingsTable get() {
    return TABLE;
  }

  private static SettingsTable load() {
    List<Group> groups = new ArrayList<>();
    try (InputStream in = SettingsTable.class.getResourceAsStream("settings.txt")) {
      if (in == null) {
        throw new IllegalStateException("no settings.txt");
      }
      for (String line : new String(in.readAllBytes(), StandardCharsets.UTF_8).split("\n", -1)) {
        if (line.isBlank() || line.startsWith("#")) {
          continue;
        }
        String[] cells = line.split(" \\| ", -1);
        Origin origin = Origin.valueOf(cells[0].toUpperCase(Locale.ROOT).replace(' ', '_'));
        groups.add(new Group(origin, cells[1], Arrays.asList(cells[2].split(" ", -1))));
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return new SettingsTable(groups);
  }

  /**
   * Settings of the data that extensions define, whose libraries are loaded when they are called.
   */
  List<String> onDemand() {
    return groups.stream()
        .filter(group -> group.origin() == Origin.DATA)
        .flatMap(group -> group.names().stream())
        .filter(name -> name.indexOf('.') > 0)
        .toList();
  }

  List<Group> groups() {
    return groups;
  }

  /** Null when the table does not name it. */
  @Nullable Origin origin(String name) {
    return origins.get(name);
  }

  /**
   * Whether a copy may want to know what the primary has. An extension's settings, whose names have
   * a dot, belong to the data: they have no effect where its library is not loaded.
   */
  boolean isKept(String name) {
    Origin origin = origins.get(name);
    return origin == Origin.DATA
        || origin == Origin.LIBRARY
        || origin == null && name.indexOf('.') > 0;
  }
}
