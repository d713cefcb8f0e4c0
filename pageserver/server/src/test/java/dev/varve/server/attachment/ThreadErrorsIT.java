package dev.varve.server.attachment;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.engine.EngineOptions;
import dev.varve.engine.store.ForwardingObjectStore;
import dev.varve.engine.store.MemoryObjectStore;
import dev.varve.engine.store.ObjectEntry;
import dev.varve.engine.tenant.Tenants;
import dev.varve.engine.tenant.TimelineId;
import dev.varve.engine.tenant.TimelineName;
import dev.varve.server.source.PrimarySettings;
import dev.varve.server.source.PrimarySource;
import dev.varve.server.source.ReceiverStatus;
import dev.varve.server.source.SourceSettings;
import dev.varve.server.source.SslMode;
import dev.varve.server.source.Tls;
import dev.varve.server.source.WalReceiver;
import dev.varve.server.source.WalSink;
import dev.varve.testkit.ExpectedLog;
import dev.varve.testkit.PostgresServer;
import java.nio.file.Path;
import java.util.List;
import java.util.SortedMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** An {@link Error} on a thread of an attachment shows in its state; no thread ends unseen. */
@Timeout(60)
final class ThreadErrorsIT {
  private static final TimelineName ID = new TimelineName("acme", "main");

  private static PostgresServer primary;

  @TempDir Path directory;

  @BeforeAll
  static void startPrimary() {
    primary = PostgresServer.builder(17).start();
  }

  @AfterAll
  static void stopPrimary() {
    primary.close();
  }

  @Test
  void ofTheThreadThatLoads() {
    ExpectedLog.containing("acme/main: stopped");
    MemoryObjectStore store = new MemoryObjectStore();
    ForwardingObjectStore failing =
        new ForwardingObjectStore(store) {
          @Override
          public List<ObjectEntry> list(String prefix) {
            throw new NoClassDefFoundError("injected");
          }
        };
    Tenants tenants = new Tenants(failing, directory, EngineOptions.defaults(), System::nanoTime);
    try (Attachment attachment =
        new Attachment(
            new AttachmentRecord(
                ID, new TimelineId("0123456789abcdef0123456789abcdef"), null, 0, false),
            tenants,
            null,
            null,
            false,
            _ -> {})) {
      attachment.start();
      await(() -> attachment.report().state() == AttachmentState.BROKEN);
      assertTrue(attachment.report().problem().contains("injected"));
      assertTrue(attachment.isSettled());
    }
  }

  @Test
  void ofTheThreadThatReceives() throws Exception {
    ExpectedLog.containing("acme/main: stopped receiving WAL");
    PrimarySource source = source("receives");
    Sink sink =
        new Sink(source.identify().walEndLsn()) {
          @Override
          public void receive(long lsn, byte[] wal, int offset, int length) {
            throw new StackOverflowError("injected");
          }
        };
    try (WalReceiver receiver =
        new WalReceiver(
            "acme/main", source, new PrimarySettings(source), source.identify(), sink)) {
      Thread thread = Thread.ofPlatform().start(receiver);
      primary.execute("postgres", "select pg_logical_emit_message(false, 'varve', 'x')");
      thread.join();
      assertEquals(ReceiverStatus.State.BROKEN, receiver.status().state());
      assertTrue(receiver.status().failure().text().contains("injected"));
    }
  }

  /** Without it the primary would keep its WAL for ever: the stream ends and begins anew. */
  @Test
  void ofTheThreadThatReports() throws Exception {
    ExpectedLog.containing("a stream ends: its positions cannot be reported");
    ExpectedLog.containing("trying again");
    PrimarySource source = source("reports");
    AtomicInteger thrown = new AtomicInteger();
    Sink sink =
        new Sink(source.identify().walEndLsn()) {
          @Override
          public long publishedLsn() {
            if (Thread.currentThread().isVirtual() && thrown.get() < 2) {
              thrown.incrementAndGet();
              throw new InternalError("injected");
            }
            return super.publishedLsn();
          }
        };
    Thread thread;
    try (WalReceiver receiver =
        new WalReceiver(
            "acme/main", source, new PrimarySettings(source), source.identify(), sink)) {
      thread = Thread.ofPlatform().start(receiver);
      await(() -> thrown.get() == 2);
      await(() -> receiver.status().state() == ReceiverStatus.State.STREAMING);
    }
    thread.join();
  }

  private static PrimarySource source(String slot) throws Exception {
    PrimarySource source =
        new PrimarySource(
            SourceSettings.of(
                ID, "127.0.0.1", primary.port(), "postgres", "", "", SslMode.DISABLE, slot),
            new Tls(null));
    source.slot().create();
    return source;
  }

  private static void await(BooleanSupplier condition) {
    while (!condition.getAsBoolean()) {
      Thread.onSpinWait();
    }
  }

  /** Takes everything and keeps nothing. */
  private static class Sink implements WalSink {
    private volatile long lsn;

    Sink(long startLsn) {
      lsn = startLsn;
    }

    @Override
    public long resumeLsn() {
      return lsn;
    }

    @Override
    public void receive(long startLsn, byte[] wal, int offset, int length) {
      lsn = startLsn + length;
    }

    @Override
    public long receivedLsn() {
      return lsn;
    }

    @Override
    public long publishedLsn() {
      return lsn;
    }

    @Override
    public void settings(SortedMap<String, String> settings) {}

    @Override
    public void requireOwner() {}

    @Override
    public void publishSoon() {}
  }
}
