package dev.varve.server;

import dev.varve.api.v1.AttachTimelineRequest;
import dev.varve.api.v1.DetachTimelineRequest;
import dev.varve.api.v1.GetTimelineRequest;
import dev.varve.api.v1.HandOverTimelineRequest;
import dev.varve.api.v1.ManagementServiceGrpc;
import dev.varve.api.v1.PrimarySource;
import dev.varve.api.v1.TimelineStatus;
import dev.varve.engine.EngineOptions;
import dev.varve.engine.check.CheckedStore;
import dev.varve.engine.store.ObjectStore;
import dev.varve.engine.tenant.Tenants;
import dev.varve.server.attachment.Attachments;
import dev.varve.server.grpc.GrpcServer;
import dev.varve.server.metrics.PageMeters;
import dev.varve.server.metrics.TimelineMeters;
import dev.varve.server.source.Tls;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Predicate;

/**
 * A pageserver in this JVM, without Quarkus, and a client of its gRPC port: for tests that take
 * things away from it. Closing and making it again on the same directory and store is a restart.
 */
public final class TestPageserver implements AutoCloseable {
  /** The tenant of all timelines here. */
  public static final String TENANT = "test";

  private static final Duration TIMEOUT = Duration.ofSeconds(30);

  /** Of this JVM: who closes the last one checks what is in the object store. */
  private static final AtomicInteger RUNNING = new AtomicInteger();

  private final ObjectStore store;
  private boolean isStoreChecked = true;
  private final Attachments attachments;
  private final GrpcServer server;
  private final ManagedChannel channel;
  private final ManagementServiceGrpc.ManagementServiceBlockingStub management;

  private TestPageserver(ObjectStore store, Attachments attachments, PageMeters meters)
      throws IOException {
    this.store = store;
    this.attachments = attachments;
    server = new GrpcServer("127.0.0.1", 0, attachments, meters, 16, 16, TIMEOUT, null);
    server.start();
    channel =
        ManagedChannelBuilder.forAddress("127.0.0.1", server.port())
            .usePlaintext()
            .maxInboundMessageSize(16 << 20)
            .build();
    management = ManagementServiceGrpc.newBlockingStub(channel);
    RUNNING.incrementAndGet();
  }

  /** Starts one, with what was attached before in {@code directory}. */
  public static TestPageserver start(Path directory, ObjectStore store, EngineOptions options)
      throws IOException {
    MeterRegistry registry = new SimpleMeterRegistry();
    PageMeters pageMeters = new PageMeters(registry);
    Tenants tenants = new Tenants(store, directory.resolve("layers"), options, System::nanoTime);
    Attachments attachments =
        new Attachments(
            tenants, directory, new Tls(null), new TimelineMeters(registry, pageMeters));
    attachments.restore();
    return new TestPageserver(store, attachments, pageMeters);
  }

  public ManagedChannel channel() {
    return channel;
  }

  /** A primary on the loopback interface, without TLS. */
  public static PrimarySource.Builder primary(int port) {
    return PrimarySource.newBuilder()
        .setHost("127.0.0.1")
        .setPort(port)
        .setUser("postgres")
        .setSslMode("disable");
  }

  /** Attaches, or throws the call's {@link io.grpc.StatusRuntimeException}. */
  public void attach(String timeline, PrimarySource.Builder primary) {
    attach(timeline, primary, 0);
  }

  /** Likewise, with a counted generation. */
  public void attach(String timeline, PrimarySource.Builder primary, int generation) {
    attach(timeline, primary, generation, false);
  }

  /** Likewise, one that the object store has to hold already. */
  public void attachStored(String timeline, PrimarySource.Builder primary, int generation) {
    attach(timeline, primary, generation, true);
  }

  private void attach(
      String timeline, PrimarySource.Builder primary, int generation, boolean stored) {
    management.attachTimeline(
        AttachTimelineRequest.newBuilder()
            .setTenant(TENANT)
            .setTimeline(timeline)
            .setPrimary(primary)
            .setGeneration(generation)
            .setStored(stored)
            .build());
  }

  /** Hands over; returns the published LSN. */
  public long handOver(String timeline) {
    return management
        .handOverTimeline(
            HandOverTimelineRequest.newBuilder().setTenant(TENANT).setTimeline(timeline).build())
        .getPublishedLsn();
  }

  public void detach(String timeline, boolean dropSlot) {
    management.detachTimeline(
        DetachTimelineRequest.newBuilder()
            .setTenant(TENANT)
            .setTimeline(timeline)
            .setDropSlot(dropSlot)
            .build());
  }

  /** Detaches it, and removes its objects and its slot. */
  public void delete(String timeline) {
    management.detachTimeline(
        DetachTimelineRequest.newBuilder()
            .setTenant(TENANT)
            .setTimeline(timeline)
            .setDropSlot(true)
            .setDeleteObjects(true)
            .build());
  }

  public TimelineStatus status(String timeline) {
    return management.getTimeline(
        GetTimelineRequest.newBuilder().setTenant(TENANT).setTimeline(timeline).build());
  }

  /** Waits until the timeline's status is as wanted; {@code what} is for the message. */
  public TimelineStatus await(String timeline, String what, Predicate<TimelineStatus> wanted)
      throws InterruptedException {
    long deadline = System.nanoTime() + TIMEOUT.toNanos();
    TimelineStatus status = status(timeline);
    while (!wanted.test(status)) {
      if (System.nanoTime() > deadline) {
        throw new AssertionError(timeline + " is not " + what + " in time:\n" + status);
      }
      TimeUnit.MILLISECONDS.sleep(10);
      status = status(timeline);
    }
    return status;
  }

  /**
   * Closing it does not look into the object store.
   *
   * @param why for instance since the test has damaged it, or it does not answer
   */
  public void leaveStoreUnchecked(String why) {
    System.out.println("the object store is not checked: " + why);
    isStoreChecked = false;
  }

  /**
   * Stops in order. After the last of the test's nothing may be missing in the object store, nor be
   * left over.
   */
  @Override
  public void close() {
    channel.shutdownNow();
    server.close();
    attachments.close();
    if (RUNNING.decrementAndGet() == 0 && isStoreChecked) {
      try {
        CheckedStore.requireClean(store);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }
}
