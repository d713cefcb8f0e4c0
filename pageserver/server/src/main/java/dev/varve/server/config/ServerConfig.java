package dev.varve.server.config;

import io.quarkus.runtime.configuration.MemorySize;
import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithDefault;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;

/**
 * The settings. Each is a system property ({@code -Dvarve.data-directory=…}), an environment
 * variable ({@code VARVE_DATA_DIRECTORY}) or a line of {@code config/application.properties} beside
 * the application. Documented in docs/operations/configuration.md; a test compares.
 */
@ConfigMapping(prefix = "varve")
public interface ServerConfig {
  /** The object store: {@code directory:PATH}, or {@code s3://BUCKET/PREFIX}. */
  @WithDefault("directory:varve-data/objects")
  String store();

  /** Local files: attachments and the cache of layers. */
  @WithDefault("varve-data/local")
  Path dataDirectory();

  /**
   * How long a pageserver that is told to stop serves on for an operator to detach what it attached
   * with a generation of its own.
   */
  @WithDefault("25s")
  Duration drainTimeout();

  S3 s3();

  Grpc grpc();

  Read read();

  Source source();

  Engine engine();

  /** How the bucket is reached. Credentials that are not given come from the SDK's usual places. */
  interface S3 {
    /** Address of a server that is not AWS. */
    Optional<String> endpoint();

    @WithDefault("us-east-1")
    String region();

    /** Bucket in the path instead of the host name: most servers that are not AWS want it. */
    @WithDefault("false")
    boolean pathStyle();

    Optional<String> accessKey();

    Optional<String> secretKey();

    /**
     * How long a request may go on without a byte that moves, either way; one that moves is never
     * ended for the time that it takes.
     */
    @WithDefault("20s")
    Duration progressTimeout();
  }

  Management management();

  /** Who may attach and detach. */
  interface Management {
    /**
     * What a caller of the management service and of the HTTP API must show. Without it everybody
     * who reaches the port may manage.
     */
    Optional<String> token();
  }

  /** Where computes and operators connect. */
  interface Grpc {
    @WithDefault("127.0.0.1")
    String host();

    /** 0: any free one. */
    @WithDefault("6400")
    int port();
  }

  /** Bounds of reads. */
  interface Read {
    /** How many reads that miss the page cache run at once. */
    @WithDefault("64")
    int concurrency();

    /** How many requests of one stream are taken before the first of them is answered. */
    @WithDefault("16")
    int pipeline();

    /** How long a read waits for an LSN that has not been received. */
    @WithDefault("10s")
    Duration lsnTimeout();
  }

  /** Towards primaries. */
  interface Source {
    /**
     * PEM file of roots for {@code sslmode} verify-ca and verify-full; without it the JVM's own.
     * Read at each connection.
     */
    Optional<Path> rootCertificates();
  }

  /** Bounds of memory, disk and chains. */
  interface Engine {
    /** Memory of a timeline's open layer at which it is frozen. */
    @WithDefault("64M")
    MemorySize openLayerSize();

    /**
     * Age at which an open layer that holds anything is frozen: bounds how far published lies
     * behind received.
     */
    @WithDefault("5s")
    Duration openLayerAge();

    /** How many frozen layers of a timeline may wait for their file before its WAL has to wait. */
    @WithDefault("2")
    int frozenLayers();

    /**
     * Memory of open and frozen layers, of all timelines together, at which WAL has to wait until
     * some are in files; without it three tenths of the heap.
     */
    Optional<MemorySize> layerMemorySize();

    /** How much of a timeline may wait for the object store before its WAL has to wait. */
    @WithDefault("2G")
    MemorySize unpublishedSize();

    /** Published layer files kept on the local disk, of all timelines together. */
    @WithDefault("20G")
    MemorySize localCacheSize();

    /** Memory for materialised pages, of all timelines together; without it a tenth of the heap. */
    Optional<MemorySize> pageCacheSize();

    /**
     * Memory for decompressed layer blocks, of all timelines together; without it a tenth of the
     * heap.
     */
    Optional<MemorySize> blockCacheSize();

    /** A page that collects this many records in a layer gets an image there. */
    @WithDefault("64")
    int imageAfterRecords();

    /** How many freshly written delta layers are merged into one sorted run. */
    @WithDefault("8")
    int compactAfterLayers();

    /** Size at which compaction begins the next file, before compression. */
    @WithDefault("128M")
    MemorySize targetLayerSize();
  }
}
