package dev.varve.server;

import dev.varve.engine.EngineOptions;
import dev.varve.engine.store.ObjectStore;
import dev.varve.engine.tenant.Tenants;
import dev.varve.server.attachment.Attachments;
import dev.varve.server.config.ServerConfig;
import dev.varve.server.grpc.GrpcServer;
import dev.varve.server.metrics.MeteredObjectStore;
import dev.varve.server.metrics.PageMeters;
import dev.varve.server.metrics.TimelineMeters;
import dev.varve.server.source.Tls;
import io.micrometer.core.instrument.MeterRegistry;
import io.quarkus.runtime.ShutdownEvent;
import io.quarkus.runtime.StartupEvent;
import io.quarkus.runtime.configuration.MemorySize;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import jakarta.enterprise.inject.Disposes;
import jakarta.enterprise.inject.Produces;
import jakarta.inject.Singleton;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The application: puts the parts together from the configuration, starts them, and stops them in
 * the opposite order.
 */
@ApplicationScoped
public class Pageserver {
  private static final Logger LOG = LoggerFactory.getLogger(Pageserver.class);

  @Produces
  @Singleton
  StoreChoice storeChoice(ServerConfig config, MeterRegistry registry) throws IOException {
    StoreChoice choice = StoreChoice.open(config, store -> new MeteredObjectStore(store, registry));
    MeteredObjectStore.watch(choice.outages(), registry);
    return choice;
  }

  void close(@Disposes StoreChoice choice) {
    choice.close();
  }

  @Produces
  @Singleton
  ObjectStore store(StoreChoice choice) {
    return choice.probed();
  }

  @Produces
  @Singleton
  PageMeters pageMeters(MeterRegistry registry) {
    return new PageMeters(registry);
  }

  @Produces
  @Singleton
  Attachments attachments(
      ServerConfig config, ObjectStore store, MeterRegistry registry, PageMeters pageMeters)
      throws IOException {
    TimelineMeters meters = new TimelineMeters(registry, pageMeters);
    Path cache = config.dataDirectory().resolve("layers");
    Tenants tenants = new Tenants(store, cache, options(config.engine()), System::nanoTime);
    meters.watch(tenants.resources());
    return new Attachments(
        tenants,
        config.dataDirectory(),
        new Tls(config.source().rootCertificates().orElse(null)),
        meters);
  }

  @Produces
  @Singleton
  GrpcServer grpcServer(ServerConfig config, Attachments attachments, PageMeters pageMeters) {
    return new GrpcServer(
        config.grpc().host(),
        config.grpc().port(),
        attachments,
        pageMeters,
        config.read().concurrency(),
        config.read().pipeline(),
        config.read().lsnTimeout(),
        config.management().token().orElse(null));
  }

  void start(@Observes StartupEvent event, Attachments attachments, GrpcServer server)
      throws IOException {
    Thread.setDefaultUncaughtExceptionHandler(new UncaughtHandler());
    attachments.restore();
    server.start();
    LOG.info("gRPC on port {}", server.port());
  }

  void stop(
      @Observes ShutdownEvent event,
      ServerConfig config,
      Attachments attachments,
      GrpcServer server) {
    attachments.drain(config.drainTimeout());
    server.close();
    attachments.close();
  }

  /** What is not given is a part of the heap, together a half: the work takes as much again. */
  private static EngineOptions options(ServerConfig.Engine engine) {
    long heap = Runtime.getRuntime().maxMemory();
    return new EngineOptions(
        engine.openLayerSize().asLongValue(),
        engine.openLayerAge(),
        engine.frozenLayers(),
        sizeOr(engine.layerMemorySize(), heap * 3 / 10),
        engine.unpublishedSize().asLongValue(),
        engine.localCacheSize().asLongValue(),
        sizeOr(engine.pageCacheSize(), heap / 10),
        sizeOr(engine.blockCacheSize(), heap / 10),
        engine.imageAfterRecords(),
        engine.compactAfterLayers(),
        engine.targetLayerSize().asLongValue());
  }

  private static long sizeOr(Optional<MemorySize> given, long otherwise) {
    return given.map(MemorySize::asLongValue).orElse(otherwise);
  }
}
