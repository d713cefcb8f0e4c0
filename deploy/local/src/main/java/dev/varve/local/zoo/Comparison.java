package dev.varve.local.zoo;

/** What of an animal is compared: a column of the table. */
enum Comparison {
  ATTACH("attach", "the primary can be attached and followed up to the end of its WAL"),
  MOUNT("mount", "a compute starts on the mount"),
  EAGER("eager", "a compute starts eagerly"),
  TABLES("tables", "every table's rows in every database, on both computes"),
  CATALOGS("catalogs", "every catalog's rows with their places, on both computes"),
  SETTINGS("settings", "the settings that belong to the data, in sessions that set none"),
  LOGINS("logins", "who may log in over TCP by which password"),
  SEQUENCES("sequences", "no sequence goes back, none is more than its WAL ahead"),
  SLRU("SLRUs", "the SLRUs' files, byte for byte with those of a stock standby"),
  CONTROL("control", "`pg_control`, with that of the primary after a clean shutdown"),
  AMCHECK("amcheck", "PostgreSQL's own check of tables and B-trees"),
  WRITES("writes", "the compute takes writes, vacuums, checkpoints and restarts"),
  BACKUP("backup", "a base backup of the compute, and a standby that follows it"),
  LOG("log", "no warning or error in the computes' logs that the primary's has not"),
  DETACH("detach", "the timeline is detached and its slot dropped");

  private final String title;
  private final String meaning;

  Comparison(String title, String meaning) {
    this.title = title;
    this.meaning = meaning;
  }

  String title() {
    return title;
  }

  String meaning() {
    return meaning;
  }
}
