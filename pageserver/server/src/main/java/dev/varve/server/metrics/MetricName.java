package dev.varve.server.metrics;

import java.util.List;

/** Every metric of the pageserver. */
enum MetricName {
  STATE(
      "varve.timeline.state",
      Kind.GAUGE,
      "1 for the state that the timeline is in, 0 for the others",
      "tenant",
      "timeline",
      "shard",
      "state"),
  GENERATION(
      "varve.timeline.generation",
      Kind.GAUGE,
      "Generation of the attachment",
      "tenant",
      "timeline",
      "shard"),
  LAG_BYTES(
      "varve.ingest.lag.bytes",
      Kind.GAUGE,
      "WAL bytes that the primary has and the pageserver has not; NaN while not known",
      "tenant",
      "timeline",
      "shard"),
  LAG_SECONDS(
      "varve.ingest.lag.seconds",
      Kind.GAUGE,
      "Time since everything that the primary had was received; 0 while it is, NaN while not known",
      "tenant",
      "timeline",
      "shard"),
  PRIMARY_LSN(
      "varve.primary.lsn",
      Kind.GAUGE,
      "Where the primary's WAL ended when it was last heard of",
      "tenant",
      "timeline",
      "shard"),
  RECEIVED_LSN(
      "varve.received.lsn",
      Kind.GAUGE,
      "End of the newest record that can be read",
      "tenant",
      "timeline",
      "shard"),
  PUBLISHED_LSN(
      "varve.published.lsn",
      Kind.GAUGE,
      "Everything up to here is durable in the object store",
      "tenant",
      "timeline",
      "shard"),
  UNPUBLISHED_BYTES(
      "varve.unpublished.bytes",
      Kind.GAUGE,
      "Bytes of layer files that wait for the object store",
      "tenant",
      "timeline",
      "shard"),
  RETAINED_WAL_BYTES(
      "varve.retained.wal.bytes",
      Kind.GAUGE,
      "WAL that the slot makes the primary keep",
      "tenant",
      "timeline",
      "shard"),
  RETAINED_WAL_SECONDS(
      "varve.retained.wal.seconds",
      Kind.GAUGE,
      "Time since the slot let go of WAL, or kept none; 0 while it keeps none",
      "tenant",
      "timeline",
      "shard"),
  STORAGE_ERRORS(
      "varve.storage.errors",
      Kind.COUNTER,
      "How often local disk or object store failed what a timeline wrote; each is tried again",
      "tenant",
      "timeline",
      "shard"),
  COPIED_BYTES(
      "varve.copied.bytes",
      Kind.GAUGE,
      "Bytes of the base backup so far",
      "tenant",
      "timeline",
      "shard"),
  LAYERS("varve.layers", Kind.GAUGE, "Layer files of the timeline", "tenant", "timeline", "shard"),
  LAYER_BYTES(
      "varve.layer.bytes",
      Kind.GAUGE,
      "Bytes of the layer files of the timeline",
      "tenant",
      "timeline",
      "shard"),
  PAGE_READ(
      "varve.page.read",
      Kind.TIMER,
      "Time to answer one GetPages request",
      "tenant",
      "timeline",
      "shard"),
  PAGES_READ("varve.pages.read", Kind.COUNTER, "Pages answered", "tenant", "timeline", "shard"),
  PAGE_READ_ERRORS(
      "varve.page.read.errors",
      Kind.COUNTER,
      "GetPages requests answered with an error, by gRPC status",
      "tenant",
      "timeline",
      "shard",
      "status"),
  PAGE_CACHE_HITS("varve.page.cache.hits", Kind.COUNTER, "Pages found materialised in memory"),
  PAGE_CACHE_MISSES("varve.page.cache.misses", Kind.COUNTER, "Pages that had to be put together"),
  LAYER_MEMORY(
      "varve.layer.memory.bytes",
      Kind.GAUGE,
      "Memory of layers that are not in files yet; WAL waits at varve.engine.layer-memory-size"),
  LOCAL_DISK("varve.local.disk.bytes", Kind.GAUGE, "Bytes of layer files on the local disk"),
  DAMAGED_COPIES(
      "varve.local.disk.damaged.copies",
      Kind.COUNTER,
      "Local copies of published layers that were damaged; the objects are read instead"),
  OBJECT_STORE(
      "varve.object.store",
      Kind.TIMER,
      "Time of attempts at the object store; outcomes are ok, exists, missing, throttled, refused"
          + " and error",
      "operation",
      "outcome"),
  OBJECT_STORE_FAILED_ATTEMPTS(
      "varve.object.store.failed.attempts",
      Kind.COUNTER,
      "Attempts at the object store that failed and are tried again; causes are unreachable,"
          + " throttled and refused",
      "cause"),
  OBJECT_STORE_OUTAGE(
      "varve.object.store.outage.seconds",
      Kind.GAUGE,
      "Since when the oldest of what fails at the object store does; 0 while nothing does"),
  ;

  /** How Prometheus sees it. */
  enum Kind {
    GAUGE,
    COUNTER,
    /** A histogram or summary in seconds. */
    TIMER
  }

  private final String id;
  private final Kind kind;
  private final String description;

  // List.of is immutable; its type does not say so.
  @SuppressWarnings("ImmutableEnumChecker")
  private final List<String> labels;

  MetricName(String id, Kind kind, String description, String... labels) {
    this.id = id;
    this.kind = kind;
    this.description = description;
    this.labels = List.of(labels);
  }

  /** Micrometer's name. */
  String id() {
    return id;
  }

  Kind kind() {
    return kind;
  }

  String description() {
    return description;
  }

  List<String> labels() {
    return labels;
  }

  /** The name of the family at {@code /q/metrics}. */
  String exportedName() {
    String name = id.replace('.', '_');
    return switch (kind) {
      case GAUGE -> name;
      case COUNTER -> name + "_total";
      case TIMER -> name + "_seconds";
    };
  }
}
