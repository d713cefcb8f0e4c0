package dev.varve.compute.fuse;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.logging.Level;
import java.util.logging.Logger;

/**
 * One mounted FUSE file system: its directory and the device descriptors that its requests come
 * from.
 *
 * <p>Mounting tries {@code mount(2)} first, which needs root or CAP_SYS_ADMIN in the user namespace
 * that owns the mount namespace, and then {@code fusermount3}. A failure names the missing
 * privilege. Requests wait in the kernel until a {@link FuseSession} answers.
 */
public final class FuseMount {
  private static final Logger LOG = Logger.getLogger(FuseMount.class.getName());
  static final String DEVICE = "/dev/fuse";

  private final Path directory;
  private final List<Integer> descriptors = new CopyOnWriteArrayList<>(); // workers start workers
  private final boolean helper;

  private FuseMount(Path directory, int descriptor, boolean helper) {
    this.directory = directory;
    this.helper = helper;
    descriptors.add(descriptor);
  }

  /**
   * Mounts over an existing directory.
   *
   * @param directory absolute; commas and backslashes are refused by nobody, only odd
   * @param source what {@code /proc/mounts} shows as device
   * @throws FuseMountException saying which privilege is missing
   */
  public static FuseMount open(Path directory, String source) throws IOException {
    int user = ProcessOwner.user();
    int group = ProcessOwner.group();
    int fd = Libc.open(DEVICE, Libc.O_RDWR | Libc.O_CLOEXEC);
    int mountError = Errno.EACCES;
    if (fd == -Errno.ENOENT || fd == -Errno.ENODEV) {
      throw new FuseMountException(noDevice());
    }
    if (fd >= 0) {
      String options =
          "fd="
              + fd
              + ",rootmode=40000,user_id="
              + user
              + ",group_id="
              + group
              + ",default_permissions"
              + (user == 0 ? ",allow_other" : "");
      int rc =
          Libc.mount(
              source, directory.toString(), "fuse.varve", Libc.MS_NOSUID | Libc.MS_NODEV, options);
      if (rc == 0) {
        return new FuseMount(directory, fd, false);
      }
      Libc.close(fd);
      mountError = -rc;
      if (mountError != Errno.EPERM && mountError != Errno.EACCES) {
        throw new FuseMountException(
            "mounting on " + directory + " failed: " + Errno.describe(mountError));
      }
    } else if (fd != -Errno.EACCES && fd != -Errno.EPERM) {
      throw new FuseMountException("opening " + DEVICE + " failed: " + Errno.describe(-fd));
    }
    Path program = FuserMount.find();
    if (program == null) {
      throw new FuseMountException(noPrivilege(user, fd < 0 ? -fd : 0, mountError));
    }
    return new FuseMount(directory, FuserMount.mount(program, directory, source), true);
  }

  static String noDevice() {
    return DEVICE
        + " does not exist, so pages cannot be mounted. Load the kernel module (modprobe fuse), give the container the device"
        + " (docker run --device /dev/fuse --cap-add SYS_ADMIN), or run with --eager, which copies everything and needs no mount.";
  }

  static String noPrivilege(int user, int openError, int mountError) {
    StringBuilder text = new StringBuilder();
    if (openError != 0) {
      text.append(DEVICE).append(" cannot be opened by uid ").append(user);
      text.append(" (").append(Errno.describe(openError)).append(')');
      if (user == 0) {
        text.append("; the container's device rules forbid it");
      }
    } else {
      text.append("mount(2) is not permitted for uid ").append(user);
      text.append(" (").append(Errno.describe(mountError)).append("; CAP_SYS_ADMIN is missing)");
    }
    text.append(
        ", and fusermount3 is not on the PATH. One of these helps: run as root with CAP_SYS_ADMIN");
    text.append(
        " (docker run --device /dev/fuse --cap-add SYS_ADMIN); install fusermount3 (package fuse3); run in a user");
    text.append(
        " namespace of your own (unshare --user --mount --map-current-user --keep-caps COMMAND, where /dev/fuse has");
    text.append(" mode 0666); or run with --eager, which copies everything and needs no mount.");
    return text.toString();
  }

  public Path directory() {
    return directory;
  }

  /**
   * The descriptor for one more worker: a clone of the first, with a queue of its own; or the first
   * when cloning fails.
   */
  int descriptor(int worker) {
    if (worker == 0) {
      return descriptors.getFirst();
    }
    int clone = Libc.open(DEVICE, Libc.O_RDWR | Libc.O_CLOEXEC);
    if (clone < 0) {
      return descriptors.getFirst();
    }
    int rc = Libc.ioctl(clone, FuseAbi.DEV_IOC_CLONE, descriptors.getFirst());
    if (rc < 0) {
      Libc.close(clone);
      return descriptors.getFirst();
    }
    descriptors.add(clone);
    return clone;
  }

  /**
   * Raises the kernel's own read-ahead, where this process may; not being allowed costs speed only.
   */
  void raiseReadAhead(int kilobytes) {
    try {
      for (String line : Files.readAllLines(Path.of("/proc/self/mountinfo"))) {
        String[] field = line.split(" ", -1);
        if (field.length > 4 && field[4].equals(directory.toString())) {
          Path setting = Path.of("/sys/class/bdi", field[2], "read_ahead_kb");
          if (Files.isWritable(setting)) {
            Files.writeString(setting, Integer.toString(kilobytes));
          }
        }
      }
    } catch (IOException e) {
      LOG.log(Level.FINE, "kernel read-ahead stays as it is", e);
    }
  }

  /**
   * Has the kernel write back everything, as unmounting does only where it takes the last mount of
   * the file system away; the session must be answering until this returns. What the file system
   * refuses it knows itself, and of a dead mount there is nothing to be had.
   */
  void writeBack() {
    int fd = Libc.open(directory.toString(), Libc.O_CLOEXEC);
    if (fd >= 0) {
      Libc.syncfs(fd);
      Libc.close(fd);
    }
  }

  /**
   * Unmounts; the session must be answering until this returns, since the kernel writes back before
   * it takes the last mount of a file system away.
   *
   * @throws FuseMountException when a process still uses the mount: it stays mounted then
   */
  void unmount() throws IOException {
    if (helper) {
      FuserMount.unmount(directory);
      return;
    }
    int rc = Libc.umount(directory.toString(), 0);
    if (rc == -Errno.EBUSY) {
      throw new FuseMountException(
          directory
              + " is still in use and stays mounted; stop what uses it (fuser -vm "
              + directory
              + ")");
    }
    if (rc < 0 && rc != -Errno.EINVAL) {
      throw new FuseMountException("unmounting " + directory + " failed: " + Errno.describe(-rc));
    }
  }

  /**
   * Aborts the connection and takes the mount away, whoever uses it: from here on every use of it
   * is an error, and what the kernel had not written back is dropped. Harmless when it is gone
   * already.
   */
  public static void force(Path directory) throws IOException {
    int rc = Libc.umount(directory.toString(), Libc.MNT_FORCE | Libc.MNT_DETACH);
    if (rc < 0 && rc != -Errno.EINVAL && rc != -Errno.ENOENT) {
      throw new FuseMountException("detaching " + directory + " failed: " + Errno.describe(-rc));
    }
  }

  /** Closes the descriptors: the kernel aborts what is still waiting. */
  void close() {
    for (int fd : descriptors) {
      Libc.close(fd);
    }
    descriptors.clear();
  }

  /** Undoes a mount that no session came to serve. */
  public static void abandon(FuseMount mount) {
    mount.close();
    Libc.umount(mount.directory.toString(), Libc.MNT_DETACH);
  }

  /**
   * Detaches what an agent that died left mounted at or below {@code directory}; live mounts of
   * other processes are left alone.
   */
  public static void detachDead(Path directory) throws IOException {
    List<String> targets = new ArrayList<>();
    for (String line : Files.readAllLines(Path.of("/proc/self/mountinfo"))) {
      String[] field = line.split(" ", -1);
      if (field.length > 4
          && line.contains(" - fuse.varve ")
          && Path.of(field[4]).startsWith(directory)) {
        targets.add(field[4]);
      }
    }
    for (String target : targets.reversed()) {
      try {
        Files.getLastModifiedTime(Path.of(target));
        throw new FuseMountException(
            target + " is mounted and alive: another agent runs on this directory; stop it first");
      } catch (FuseMountException e) {
        throw e;
      } catch (IOException dead) {
        LOG.info("detaching the dead mount " + target);
        Libc.umount(target, Libc.MNT_DETACH);
      }
    }
  }
}
