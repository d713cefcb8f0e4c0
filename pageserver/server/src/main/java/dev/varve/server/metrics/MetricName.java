package dev.varve.server.metrics;

/**
 * Every metric of the pageserver by its Micrometer name: Prometheus shows dots as underscores and
 * adds the unit.
 */
enum MetricName {
  LAG_BYTES("varve.ingest.lag.bytes", "WAL bytes that the primary has and the pageserver has not"),
  LAG_SECONDS("varve.ingest.lag.seconds", "Since everything that the primary had was received"),
  RECEIVED_LSN("varve.received.lsn", "End of the newest record that can be read"),
  PUBLISHED_LSN("varve.published.lsn", "Everything up to here is durable in the object store"),
  PRIMARY_LSN("varve.primary.lsn", "Where the primary's WAL ended when it was last heard of"),
  COPIED_BYTES("varve.copied.bytes", "Bytes of the base backup so far"),
  LAYERS("varve.layers", "Layer files of the timeline"),
  LAYER_BYTES("varve.layer.bytes", "Bytes of the layer files of the timeline"),
  STATE(
      "varve.timeline.state",
      "1 for the state that the timeline is in (label state), 0 for the others"),
  GENERATION("varve.timeline.generation", "Generation of the attachment"),
  PAGE_READ("varve.page.read", "Time to answer one GetPages request, a histogram in seconds"),
  PAGES_READ("varve.pages.read", "Pages answered"),
  PAGE_READ_ERRORS(
      "varve.page.read.errors", "GetPages requests answered with an error (label status)"),
  PAGE_CACHE_HITS("varve.page.cache.hits", "Pages found materialised in memory"),
  PAGE_CACHE_MISSES("varve.page.cache.misses", "Pages that had to be put together"),
  OBJECT_STORE("varve.object.store", "Time of object store requests (labels operation, outcome)"),
  ;

  private final String id;
  private final String description;

  MetricName(String id, String description) {
    this.id = id;
    this.description = description;
  }

  String id() {
    return id;
  }

  String description() {
    return description;
  }
}
