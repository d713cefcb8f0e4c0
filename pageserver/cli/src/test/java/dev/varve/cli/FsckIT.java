package dev.varve.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.varve.engine.EngineOptions;
import dev.varve.engine.bytes.Crc32c;
import dev.varve.engine.bytes.LittleEndian;
import dev.varve.engine.catalog.Shard;
import dev.varve.engine.layer.LayerDescriptor;
import dev.varve.engine.layer.Manifest;
import dev.varve.engine.layer.ManifestStore;
import dev.varve.engine.store.LocalObjectStore;
import dev.varve.engine.store.ObjectEntry;
import dev.varve.engine.tenant.Tenants;
import dev.varve.engine.tenant.TimelineId;
import dev.varve.engine.tenant.TimelineName;
import dev.varve.engine.timeline.PrimaryFeed;
import dev.varve.engine.timeline.Timeline;
import dev.varve.format.Envelope;
import dev.varve.s3.client.S3ObjectStore;
import dev.varve.s3.client.S3Settings;
import dev.varve.testkit.FreePort;
import dev.varve.testkit.PostgresServer;
import dev.varve.testkit.S3Server;
import dev.varve.testkit.TpcB;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * {@code varve fsck} of a store that was written from a real primary, whole and damaged in each
 * way: what it says, and its exit code.
 */
final class FsckIT {
  private static final TimelineName MAIN = new TimelineName("acme", "main");
  private static final String LABELS = "tenants/acme/labels/";
  private static final String NAMES = "tenants/acme/names/";

  /** A store that is whole: a timeline of one tenant, and one of two shards of another. */
  @TempDir static Path whole;

  private static String prefix = "";
  private static String shardedPrefix = "";
  private static String uid = "";

  /** A copy of it, to be damaged. */
  @TempDir Path directory;

  private Path root;
  private LocalObjectStore store;

  @BeforeAll
  static void make(@TempDir Path scratch) throws Exception {
    Path copy = PostgresServer.temporaryDirectory();
    EngineOptions options =
        EngineOptions.defaults().withOpenLayer(512 << 10, Duration.ofMillis(100));
    try (PostgresServer primary =
            PostgresServer.builder(17)
                .setting("full_page_writes", "off")
                .setting("wal_keep_size", "4GB")
                .start();
        Tenants tenants =
            new Tenants(
                new LocalObjectStore(whole.resolve("objects")),
                scratch.resolve("cache"),
                options,
                System::nanoTime)) {
      TpcB load = new TpcB(primary, 1);
      load.initialize();
      List<Timeline> timelines = new ArrayList<>();
      timelines.add(tenants.attach(MAIN, 0));
      for (int shard = 0; shard < 2; shard++) {
        TimelineName name = new TimelineName("globex", "sharded", new Shard(shard, 2, 256));
        timelines.add(tenants.attach(name, 0));
      }
      TimelineId id = Objects.requireNonNull(tenants.resolve(MAIN));
      uid = id.text();
      prefix = "tenants/acme/timelines/" + uid + "/";
      TimelineId sharded =
          Objects.requireNonNull(tenants.resolve(new TimelineName("globex", "sharded")));
      shardedPrefix = "tenants/globex/timelines/" + sharded + "/";
      PrimaryFeed feed = new PrimaryFeed(primary);
      feed.importBackup(timelines, copy, () -> load.run(1, 1, done -> done >= 50));
      for (int round = 0; round < 12; round++) {
        int seed = round;
        load.run(1, seed, done -> done >= 100);
        for (Timeline timeline : timelines) {
          feed.catchUp(timeline);
          timeline.publishNow(Duration.ofMinutes(1));
        }
      }
    } finally {
      PostgresServer.deleteTree(copy);
    }
  }

  @BeforeEach
  void copy() throws IOException {
    root = directory.resolve("objects");
    Path from = whole.resolve("objects");
    try (Stream<Path> files = Files.walk(from)) {
      for (Path file : (Iterable<Path>) files::iterator) {
        Files.copy(file, root.resolve(from.relativize(file).toString()));
      }
    }
    store = new LocalObjectStore(root);
  }

  /** Runs it with what is young being no excuse. */
  private VarveProcess fsck(String... args) throws Exception {
    List<String> all =
        new ArrayList<>(
            List.of("fsck", "--store=directory:" + root, "--output=json", "--grace=0s", "--quiet"));
    all.addAll(List.of(args));
    return VarveProcess.run(directory, Map.of(), all.toArray(String[]::new));
  }

  private void assertFound(VarveProcess fsck, String... findings) throws IOException {
    assertEquals(List.of(findings), fsck.findings(), fsck.err());
    assertEquals(1, fsck.exitCode());
    assertEquals("findings", fsck.json().get("result").asText());
  }

  private Manifest manifest() throws IOException {
    return new ManifestStore(store, prefix, 0).load();
  }

  private String manifestObject() throws IOException {
    return prefix + "manifest/%020d".formatted(manifest().number());
  }

  private static String object(LayerDescriptor layer) {
    return prefix + "layers/" + layer.name();
  }

  /** The largest delta layer: one with several blocks. */
  private LayerDescriptor delta() throws IOException {
    return manifest().layers().stream()
        .filter(layer -> !layer.isImage())
        .max(Comparator.comparingLong(LayerDescriptor::fileBytes))
        .orElseThrow();
  }

  private interface Change {
    void change(byte[] bytes);
  }

  private void change(String object, Change change) throws IOException {
    byte[] bytes = store.get(object);
    change.change(bytes);
    store.put(object, bytes);
  }

  /** Has the head say that only a newer release reads the file. */
  private static void bumpVersion(byte[] bytes) {
    int version = LittleEndian.u16(bytes, 8) + 1;
    LittleEndian.putU16(bytes, 8, version);
    LittleEndian.putU16(bytes, 10, version);
    seal(bytes, Envelope.HEAD_BYTES - Envelope.CHECKSUM_BYTES);
  }

  private static void seal(byte[] bytes, int end) {
    LittleEndian.putI32(bytes, end, Crc32c.compute(bytes, 0, end));
  }

  @Test
  void aWholeStoreIsClean() throws Exception {
    VarveProcess deep = fsck("--deep", "--sample=300");
    assertEquals(List.of(), deep.findings());
    assertEquals(0, deep.exitCode());
    JsonNode json = deep.json();
    assertEquals("clean", json.get("result").asText());
    assertTrue(json.get("error").isNull());
    JsonNode checked = json.get("checked");
    assertEquals(2, checked.get("timelines").asInt());
    assertEquals(checked.get("layers").asInt(), checked.get("layersRead").asInt());
    assertEquals(900, checked.get("pages").asInt());
    assertTrue(checked.get("bytesRead").asLong() > 1 << 20);
    assertTrue(manifest().layers().stream().anyMatch(layer -> layer.level() > 0), "merged");

    VarveProcess one = fsck("--tenant=acme", "--timeline=main");
    assertEquals(0, one.exitCode());
    assertEquals(1, one.json().get("checked").get("timelines").asInt());
    assertEquals(manifest().layers().size(), one.json().get("checked").get("layersRead").asInt());
    assertEquals(1, fsck("--timeline=" + uid).json().get("checked").get("timelines").asInt());

    VarveProcess text =
        VarveProcess.run(directory, Map.of("VARVE_STORE", "directory:" + root), "fsck");
    assertEquals(0, text.exitCode());
    assertTrue(text.out().startsWith("nothing found: "), text.out());
    assertEquals("", text.err());
  }

  @Test
  void layersThatAreGoneShortOrSwapped() throws Exception {
    LayerDescriptor newest =
        manifest().layers().stream()
            .filter(layer -> !layer.isImage())
            .max(Comparator.comparingLong(LayerDescriptor::endLsn))
            .orElseThrow();
    assertNotEquals(delta(), newest);
    String gone = object(newest);
    store.delete(gone);
    assertFound(fsck(), "missing " + gone);

    String shortened = object(delta());
    byte[] bytes = store.get(shortened);
    store.put(shortened, Arrays.copyOf(bytes, bytes.length - 1));
    assertFound(fsck(), "damaged " + shortened, "missing " + gone);

    List<LayerDescriptor> images =
        manifest().layers().stream().filter(LayerDescriptor::isImage).toList();
    String one = object(images.getFirst());
    String other = object(images.getLast());
    byte[] first = store.get(one);
    store.put(one, store.get(other));
    store.put(other, first);
    assertTrue(fsck().findings().containsAll(List.of("damaged " + one, "damaged " + other)), one);
    VarveProcess narrowed = fsck("--tenant=globex");
    assertEquals(List.of(), narrowed.findings());
    assertEquals(0, narrowed.exitCode());
  }

  @Test
  void bytesThatFlipped() throws Exception {
    LayerDescriptor layer = delta();
    String object = object(layer);
    change(object, bytes -> bytes[(int) layer.indexOffset() / 2] ^= 1);
    assertEquals(0, fsck().exitCode(), "the index is whole");
    VarveProcess deep = fsck("--deep", "--sample=0");
    assertFound(deep, "damaged " + object);
    String text = deep.json().get("findings").get(0).get("text").asText();
    assertTrue(text.matches(".*: block \\d+ is damaged: wrong checksum"), text);

    change(object, bytes -> bytes[(int) layer.indexOffset() + 10] ^= 1);
    assertFound(fsck(), "damaged " + object);
  }

  @Test
  void whatNothingLists() throws Exception {
    String again = prefix + "layers/" + delta().name().replaceAll(".{8}$", "00ffffff");
    store.put(again, store.get(object(delta())));
    store.put(prefix + "layers/notes", new byte[3]);
    store.put("tenants/acme/notes", new byte[3]);
    store.put("probe/0123456789abcdef/list/a", new byte[1]);
    store.put("of-somebody-else", new byte[1]);
    List<String> found = fsck().findings();
    assertEquals(
        List.of(
            "orphaned probe/0123456789abcdef/list/a",
            "orphaned tenants/acme/notes",
            "orphaned " + again,
            "orphaned " + prefix + "layers/notes"),
        found);
    VarveProcess young =
        VarveProcess.run(directory, Map.of(), "fsck", "--store=directory:" + root, "--output=json");
    assertEquals(0, young.exitCode());
    assertEquals(4, young.json().get("checked").get("recentObjects").asInt());
  }

  @Test
  void newerFormats() throws Exception {
    String layer = object(delta());
    change(layer, FsckIT::bumpVersion);
    assertFound(fsck(), "too-new " + layer);
    String label = LABELS + uid;
    change(label, FsckIT::bumpVersion);
    String manifest = manifestObject();
    change(manifest, FsckIT::bumpVersion);
    List<String> found = fsck().findings();
    assertTrue(found.containsAll(List.of("too-new " + label, "too-new " + manifest)), "" + found);
  }

  @Test
  void manifestsThatAreGoneOrDamaged() throws Exception {
    long newest = manifest().number();
    String gone = prefix + "manifest/%020d".formatted(newest - 3);
    store.delete(gone);
    assertFound(fsck(), "missing " + gone);
    String older = prefix + "manifest/%020d".formatted(newest - 2);
    change(older, bytes -> bytes[50] ^= 1);
    assertFound(fsck(), "damaged " + older, "missing " + gone);
    String object = manifestObject();
    change(object, bytes -> bytes[bytes.length / 2] ^= 1);
    assertFound(fsck(), "damaged " + older, "damaged " + object, "missing " + gone);
  }

  @Test
  void layersThatOverlap() throws Exception {
    String object = manifestObject();
    Manifest manifest = manifest();
    int delta = 0;
    while (manifest.layers().get(delta).isImage()) {
      delta++;
    }
    LayerDescriptor layer = manifest.layers().get(delta);
    byte[] listed = new byte[2 * Long.BYTES];
    LittleEndian.putI64(listed, 0, layer.firstKey());
    LittleEndian.putI64(listed, Long.BYTES, layer.lastKey());
    change(
        object,
        bytes -> {
          int at = 0;
          while (!Arrays.equals(listed, 0, listed.length, bytes, at, at + listed.length)) {
            at++;
          }
          LittleEndian.putI64(bytes, at + Long.BYTES, 0x5000_0000_0000L);
          seal(bytes, bytes.length - Envelope.CHECKSUM_BYTES);
        });
    assertFound(fsck(), "overlapping " + object);
  }

  @Test
  void namesAndLabelsThatLeadNowhere() throws Exception {
    String label = LABELS + uid;
    String name = NAMES + "main";
    byte[] bytes = store.get(label);
    store.delete(label);
    assertFound(fsck(), "dangling " + name, "missing " + label);
    store.put(label, bytes);
    store.put(NAMES + "other", store.get(name));
    assertFound(fsck(), "dangling " + NAMES + "other");
    store.delete(NAMES + "other");
    for (ObjectEntry entry : store.list(prefix)) {
      store.delete(entry.name());
    }
    assertFound(fsck(), "dangling " + label);
  }

  @Test
  void aShardThatIsGone() throws Exception {
    String shard = shardedPrefix + "shards/1-of-2-by-256/";
    for (ObjectEntry entry : store.list(shard)) {
      store.delete(entry.name());
    }
    assertFound(fsck(), "missing " + shard + "manifest/");
    store.delete(shardedPrefix + "layout");
    assertFound(fsck(), "missing " + shardedPrefix + "layout", "missing " + shard + "manifest/");
  }

  @Test
  void whatCannotBeChecked() throws Exception {
    VarveProcess noDirectory =
        VarveProcess.run(directory, Map.of(), "fsck", "--store=directory:" + root + "/none");
    assertEquals(2, noDirectory.exitCode());
    assertTrue(noDirectory.err().contains("not a directory"), noDirectory.err());
    VarveProcess noTimeline = fsck("--timeline=nobody");
    assertEquals(2, noTimeline.exitCode());
    assertEquals("incomplete", noTimeline.json().get("result").asText());
    assertTrue(noTimeline.err().contains("no timeline nobody"), noTimeline.err());
    VarveProcess usage = fsck("--grace=soon");
    assertEquals(2, usage.exitCode());
    assertTrue(usage.err().contains("'soon' is no duration"), usage.err());
    assertEquals(2, VarveProcess.run(directory, Map.of()).exitCode());
    String nowhere = "http://127.0.0.1:" + FreePort.any();
    VarveProcess unreachable =
        VarveProcess.run(
            directory, s3(nowhere), "fsck", "--store=s3://bucket/there", "--output=json");
    assertEquals(2, unreachable.exitCode());
    String error = unreachable.json().get("error").asText();
    assertTrue(error.startsWith("s3://bucket/there could not be checked: "), error);
    assertTrue(error.contains("varve.s3.endpoint"), error);
  }

  private static Map<String, String> s3(String endpoint) {
    return Map.of(
        "VARVE_S3_ENDPOINT",
        endpoint,
        "VARVE_S3_PATH_STYLE",
        "true",
        "VARVE_S3_ACCESS_KEY",
        S3Server.ACCESS_KEY,
        "VARVE_S3_SECRET_KEY",
        S3Server.SECRET_KEY);
  }

  @Test
  void aBucket() throws Exception {
    Path served = Files.createDirectory(directory.resolve("s3"));
    try (S3Server server = S3Server.start(served, "bucket")) {
      try (S3ObjectStore bucket =
          new S3ObjectStore(
              S3Settings.of(
                  "s3://bucket/there",
                  server.endpoint(),
                  S3Server.REGION,
                  true,
                  S3Server.ACCESS_KEY,
                  S3Server.SECRET_KEY,
                  Duration.ofSeconds(20)))) {
        for (ObjectEntry entry : store.list("")) {
          bucket.put(entry.name(), store.get(entry.name()));
        }
        bucket.delete(object(delta()));
      }
      VarveProcess fsck =
          VarveProcess.run(
              directory,
              s3(server.endpoint().toString()),
              "fsck",
              "--store=s3://bucket/there",
              "--deep",
              "--output=json");
      assertFound(fsck, "missing " + object(delta()));
    }
  }
}
