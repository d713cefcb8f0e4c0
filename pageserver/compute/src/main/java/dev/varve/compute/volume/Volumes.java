package dev.varve.compute.volume;

import dev.varve.compute.agent.FailureText;
import dev.varve.compute.fuse.FuseMount;
import dev.varve.compute.fuse.FuseOptions;
import dev.varve.compute.volume.VolumeRecord.State;
import io.grpc.Status;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.jspecify.annotations.Nullable;

/**
 * All volumes of a node. Thread-safe: at most one operation on a volume runs at a time, a second
 * one is refused with ABORTED and tried again by the kubelet.
 *
 * <p>Of a volume there is, in this order: its directory {@code ID/} with the {@code record}; {@code
 * ID/local/} and the data directory at its target; the mounts. They go in the opposite order, so
 * that after a death at any point the record tells what is left. A volume whose mounts died below a
 * pod is LOST: it is not mended in place, since PostgreSQL may have seen errors, but its pod is
 * deleted, and the kubelet then unpublishes.
 */
final class Volumes {
  private static final Logger LOG = Logger.getLogger(Volumes.class.getName());
  private static final Path BOOT = Path.of("/proc/sys/kernel/random/boot_id");

  private static final String LOST =
      "the volume was lost, with the agent of this node that restarted or by a failure that the event"
          + " VolumeLost tells";

  private final Path directory;
  private final Path pods;
  private final String address;
  private final FuseOptions fuse;
  private final Duration readTimeout;
  private final KubernetesApi kubernetes;
  private final String boot;
  private final PageserverChannels channels = new PageserverChannels();
  private final Map<String, LiveVolume> live = new ConcurrentHashMap<>();

  /** By volume, what the log was told last of why it cannot be looked after. */
  private final Map<String, String> warned = new ConcurrentHashMap<>();

  /** Volumes of which an event of the pod says that they cannot be read. */
  private final Set<String> unreadable = ConcurrentHashMap.newKeySet();

  private final Set<String> claimed = ConcurrentHashMap.newKeySet();

  /**
   * @param directory of the agent's own, survives it
   * @param pods the kubelet's directory of pods
   * @param address {@code host:port} of pageservers, with {timeline} and {namespace} to be replaced
   */
  Volumes(
      Path directory,
      Path pods,
      String address,
      FuseOptions fuse,
      Duration readTimeout,
      KubernetesApi kubernetes)
      throws IOException {
    this.directory = directory;
    this.pods = pods;
    this.address = address;
    this.fuse = fuse;
    this.readTimeout = readTimeout;
    this.kubernetes = kubernetes;
    this.boot = Files.readString(BOOT).strip();
  }

  Path pods() {
    return pods;
  }

  /** One operation's right to a volume. */
  private final class Claim implements AutoCloseable {
    private final String id;

    Claim(String id) throws VolumeException {
      this.id = id;
      if (!claimed.add(id)) {
        throw new VolumeException(
            Status.Code.ABORTED,
            "another operation on volume " + id + " is under way; this one will be tried again");
      }
    }

    Path home() {
      return directory.resolve(id);
    }

    @Override
    public void close() {
      claimed.remove(id);
    }
  }

  private static Path recordFile(Path home) {
    return home.resolve("record");
  }

  /**
   * @throws IOException when the record is damaged, or names a target that no volume has
   */
  private @Nullable VolumeRecord record(Path home) throws IOException {
    Path file = recordFile(home);
    if (!Files.exists(file)) {
      return null;
    }
    VolumeRecord record = VolumeRecord.read(file);
    VolumeRequest.target(record.target().toString(), pods);
    return record;
  }

  /** What is at a volume's target is deleted with the volume, so no two may have the same. */
  private void requireUnshared(String id, Path target) throws IOException {
    for (Path home : homes()) {
      if (!home.endsWith(id)) {
        VolumeRecord other = recordIfReadable(home);
        if (other != null && other.target().equals(target)) {
          throw VolumeException.invalid(
              "target_path is " + target + ", where volume " + other.id() + " is");
        }
      }
    }
  }

  private @Nullable VolumeRecord recordIfReadable(Path home) {
    try {
      return record(home);
    } catch (IOException e) {
      return null; // the sweep says so
    }
  }

  /** Makes the data directory; done already is success. */
  void publish(VolumeRequest request) throws IOException {
    if (replaceToken(request)) {
      return;
    }
    try (Claim claim = new Claim(request.id())) {
      LiveVolume there = live.get(request.id());
      if (there != null) {
        if (!there.target().equals(request.target())) {
          throw new VolumeException(
              Status.Code.ALREADY_EXISTS,
              "volume " + request.id() + " is published at " + there.target());
        }
        return;
      }
      VolumeRecord old = record(claim.home());
      if (old != null && old.boot().equals(boot) && old.state() != State.PREPARING) {
        throw new VolumeException(
            Status.Code.FAILED_PRECONDITION,
            LOST + ": the pod is being deleted; make another if nothing does");
      }
      requireUnshared(request.id(), request.target());
      long start = System.nanoTime();
      VolumeRecord made =
          new VolumeRecord(
              request.id(),
              State.PREPARING,
              request.target(),
              request.pod(),
              request.timeline(),
              boot);
      clean(claim.home(), request.target());
      Files.createDirectories(
          claim.home(),
          PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
      made.write(recordFile(claim.home()));
      LiveVolume opened = null;
      try {
        opened = open(request, claim.home());
        made.with(State.PUBLISHED).write(recordFile(claim.home()));
        live.put(request.id(), opened);
      } catch (IOException | RuntimeException e) {
        undo(opened, claim.home(), request.target(), e);
        throw e;
      }
      LOG.info("published " + request + " in " + (System.nanoTime() - start) / 1_000_000 + " ms");
    }
  }

  /**
   * The kubelet repeats a publication every minute or two, with what the Secret says then. Needs no
   * claim, which another operation may have.
   */
  private boolean replaceToken(VolumeRequest request) {
    LiveVolume there = live.get(request.id());
    String token = request.token();
    if (there == null || !there.target().equals(request.target())) {
      return false;
    }
    if (token != null) {
      there.replaceToken(token);
    }
    return true;
  }

  private LiveVolume open(VolumeRequest request, Path home) throws IOException {
    String namespace = request.pod().namespace();
    String tenant = request.tenant();
    if (tenant == null) {
      tenant = kubernetes.tenantOf(namespace, request.timeline());
    }
    return LiveVolume.open(
        request,
        home.resolve("local"),
        namespace + "." + tenant + "/" + request.timeline(),
        channels,
        address.replace("{timeline}", request.timeline()).replace("{namespace}", namespace),
        fuse,
        readTimeout);
  }

  private static void undo(@Nullable LiveVolume opened, Path home, Path target, Exception failure) {
    try {
      if (opened != null) {
        opened.discard();
      }
      clean(home, target);
    } catch (IOException e) {
      failure.addSuppressed(e); // the record stays, and with it the duty
    }
  }

  /** Removes everything of a volume; gone already is success. */
  void unpublish(String id, Path target) throws IOException {
    try (Claim claim = new Claim(id)) {
      requireUnshared(id, target);
      remove(claim, target);
    }
  }

  private void remove(Claim claim, Path target) throws IOException {
    LiveVolume there = live.get(claim.id);
    if (there != null) {
      there.discard();
      live.remove(claim.id);
    }
    unreadable.remove(claim.id);
    VolumeRecord record = null;
    try {
      record = record(claim.home());
    } catch (IOException e) {
      LOG.warning("removing volume " + claim.id + " without its record: " + FailureText.of(e));
    }
    if (record != null && !record.target().equals(target)) {
      takeAway(record.target());
    }
    clean(claim.home(), target);
    if (record != null) {
      LOG.info("unpublished volume " + claim.id + " of " + record.pod());
    }
  }

  private static void clean(Path home, Path target) throws IOException {
    takeAway(target);
    takeAway(home.resolve("local"));
    FileTree.delete(home);
  }

  private static void takeAway(Path tree) throws IOException {
    detach(tree);
    FileTree.delete(tree);
  }

  private static void detach(Path tree) throws IOException {
    for (Path mount : MountTable.below(tree).reversed()) {
      FuseMount.force(mount);
    }
  }

  /**
   * What is wrong with a volume, for its statistics; null while all is well.
   *
   * @throws VolumeException when there is no such volume
   */
  @Nullable String failure(String id) throws IOException {
    LiveVolume there = live.get(id);
    if (there != null) {
      String failure = there.failure();
      return failure == null ? there.unreadable() : failure;
    }
    VolumeRecord record = record(directory.resolve(id));
    if (record == null) {
      throw new VolumeException(Status.Code.NOT_FOUND, "there is no volume " + id + " here");
    }
    return LOST;
  }

  /** The number of volumes that are served. */
  int size() {
    return live.size();
  }

  private List<Path> homes() throws IOException {
    List<Path> found = new ArrayList<>();
    try (DirectoryStream<Path> entries = Files.newDirectoryStream(directory, Files::isDirectory)) {
      entries.forEach(found::add);
    }
    return found;
  }

  /**
   * Takes stock after a start, before anything is served: whatever an agent before this one had
   * mounted is dead. What no pod can have seen is removed, the rest is LOST.
   */
  void recover() throws IOException {
    Files.createDirectories(directory);
    Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwx------"));
    for (Path home : homes()) {
      try {
        recover(home);
      } catch (IOException e) {
        LOG.severe("cannot take stock of " + home + ", which stays as it is: " + FailureText.of(e));
      }
    }
  }

  private void recover(Path home) throws IOException {
    VolumeRecord record = record(home);
    if (record == null) {
      FileTree.delete(home);
    } else if (record.state() == State.PREPARING || !record.boot().equals(boot)) {
      clean(home, record.target());
    } else {
      detach(record.target());
      detach(home);
      if (record.state() == State.PUBLISHED) {
        record.with(State.LOST).write(recordFile(home));
        LOG.warning("lost the mounts of volume " + record.id() + " of " + record.pod());
      }
    }
  }

  /** Looks after all volumes once; called again and again. */
  void sweep() throws IOException {
    Set<String> failing = new HashSet<>();
    for (Path home : homes()) {
      String id = String.valueOf(home.getFileName());
      try (Claim claim = new Claim(id)) {
        VolumeRecord record = record(home);
        if (record != null) {
          lookAfter(claim, record);
        }
      } catch (VolumeException e) {
        if (e.status().getCode() != Status.Code.ABORTED) {
          failing.add(id);
          warnOnce(id, FailureText.of(e));
        }
      } catch (IOException e) {
        failing.add(id);
        warnOnce(id, FailureText.of(e));
      } catch (RuntimeException e) {
        LOG.log(Level.SEVERE, "looking after volume " + id + " failed", e);
      }
    }
    warned.keySet().retainAll(failing);
  }

  /** Once for each reason in turn: it is tried every few seconds. */
  private void warnOnce(String id, String why) {
    if (!why.equals(warned.put(id, why))) {
      LOG.warning("cannot look after volume " + id + ", and try again: " + why);
    }
  }

  private void lookAfter(Claim claim, VolumeRecord record) throws IOException {
    if (!Files.exists(pods.resolve(pods.relativize(record.target()).getName(0)))) {
      LOG.info(record.pod() + " is gone");
      remove(claim, record.target());
      return;
    }
    LiveVolume there = live.get(claim.id);
    if (there != null) {
      String failure = there.failure();
      if (failure == null) {
        there.probe();
        report(claim.id, record, there.unreadable());
        return;
      }
      LOG.warning("giving up volume " + claim.id + " of " + record.pod() + ": " + failure);
      record.with(State.LOST).write(recordFile(claim.home()));
      there.discard();
      live.remove(claim.id);
      replace(claim, record, failure);
    } else if (record.state() == State.LOST) {
      replace(claim, record, "the Varve agent of the node restarted, and its mounts ended with it");
    }
  }

  /** An event of the pod when its volume cannot be read any more, and one when it can again. */
  private void report(String id, VolumeRecord record, @Nullable String why) throws IOException {
    if (why != null && !unreadable.contains(id)) {
      kubernetes.event(
          record.pod(),
          "Warning",
          "VolumeUnreadable",
          "pages of timeline " + record.timeline() + " cannot be read: " + why);
      unreadable.add(id);
      LOG.warning("volume " + id + " of " + record.pod() + " cannot be read: " + why);
    } else if (why == null && unreadable.contains(id)) {
      kubernetes.event(
          record.pod(),
          "Normal",
          "VolumeReadable",
          "pages of timeline " + record.timeline() + " can be read again");
      unreadable.remove(id);
      LOG.info("volume " + id + " of " + record.pod() + " can be read again");
    }
  }

  private void replace(Claim claim, VolumeRecord record, String why) throws IOException {
    kubernetes.event(
        record.pod(),
        "Warning",
        "VolumeLost",
        "the database volume of timeline "
            + record.timeline()
            + " was lost: "
            + why
            + ". The pod is deleted so that its controller makes a new one, which starts from the"
            + " newest LSN; a pod without controller is to be made again.");
    kubernetes.delete(record.pod());
    record.with(State.REPLACED).write(recordFile(claim.home()));
    LOG.info("had " + record.pod() + " deleted");
  }
}
