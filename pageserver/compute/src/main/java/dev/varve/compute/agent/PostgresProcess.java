package dev.varve.compute.agent;

import dev.varve.compute.fuse.Libc;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * One running postmaster. It is killed by the kernel when the thread that started it ends, so that
 * it never outlives its agent: start it on a platform thread that lives as long as the agent.
 */
public final class PostgresProcess {
  private static final long POLL_MILLIS = 2;

  /**
   * The line of postmaster.pid that tells the state (PostgreSQL 17 src/include/utils/pidfile.h).
   */
  private static final int STATUS_LINE = 8;

  private final Process process;
  private final Path pidFile;

  /** Of an immediate shutdown. */
  private List<ProcessHandle> children = List.of();

  private PostgresProcess(Process process, Path pidFile) {
    this.process = process;
    this.pidFile = pidFile;
  }

  /**
   * Starts PostgreSQL on a data directory; it inherits standard output and standard error, where
   * its log goes.
   *
   * @param binaries the directory that holds {@code postgres}
   * @param asUser run as this user and group, by {@code setpriv}; only root can
   */
  public static PostgresProcess start(Path binaries, Path data, int user, int group, boolean asUser)
      throws IOException {
    Path program = binaries.resolve("postgres");
    if (!Files.isExecutable(program)) {
      throw new AgentException(
          "no PostgreSQL at " + program + "; --postgres names the directory that holds it");
    }
    List<String> command = new ArrayList<>(command(program, user, group, asUser));
    command.addAll(List.of("-D", data.toString()));
    Path pidFile = data.resolve("postmaster.pid");
    Files.deleteIfExists(
        pidFile); // a volume is opened by one agent only, and only after its PostgreSQL ended
    try {
      Process process =
          new ProcessBuilder(command)
              .redirectOutput(ProcessBuilder.Redirect.INHERIT)
              .redirectError(ProcessBuilder.Redirect.INHERIT)
              .start();
      process.getOutputStream().close();
      return new PostgresProcess(process, pidFile);
    } catch (IOException e) {
      throw new AgentException(
          "PostgreSQL cannot be started through setpriv (package util-linux): " + e.getMessage());
    }
  }

  /** What runs the program {@code postgres}, up to its first argument. */
  static List<String> command(Path program, int user, int group, boolean asUser) {
    List<String> command = new ArrayList<>(List.of("setpriv"));
    if (asUser) {
      command.addAll(List.of("--reuid=" + user, "--regid=" + group, "--clear-groups"));
    }
    command.addAll(List.of("--pdeathsig", "KILL", "--", program.toString()));
    return command;
  }

  public boolean isAlive() {
    return process.isAlive();
  }

  /** Waits until the server accepts connections; false when it ended or did not in time. */
  public boolean awaitReady(long seconds) throws InterruptedException {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(seconds);
    while (System.nanoTime() < deadline) {
      if (process.waitFor(POLL_MILLIS, TimeUnit.MILLISECONDS)) {
        return false;
      }
      try {
        if (Files.exists(pidFile)) {
          List<String> lines = Files.readAllLines(pidFile);
          if (lines.size() >= STATUS_LINE && lines.get(STATUS_LINE - 1).strip().equals("ready")) {
            return true;
          }
        }
      } catch (IOException e) {
        // It is being written; the next round reads it again.
      }
    }
    return false;
  }

  /**
   * Waits for the end, which is that of all processes when an immediate shutdown was asked for: the
   * postmaster may end before those that it killed. True when it came.
   */
  public boolean await(long millis) throws InterruptedException {
    long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(millis);
    if (!process.waitFor(millis, TimeUnit.MILLISECONDS)) {
      return false;
    }
    while (children.stream().anyMatch(ProcessHandle::isAlive)) {
      if (System.nanoTime() > deadline) {
        return false;
      }
      TimeUnit.MILLISECONDS.sleep(POLL_MILLIS);
    }
    return true;
  }

  public int exitCode() {
    return process.exitValue();
  }

  /** Fast shutdown: open transactions are rolled back. */
  public void stopFast() {
    Libc.kill(process.pid(), Libc.SIGINT);
  }

  /** Immediate shutdown, as in a crash. */
  public void stopImmediately() {
    children = process.descendants().toList();
    Libc.kill(process.pid(), Libc.SIGQUIT);
  }

  /** The last resort. */
  public void kill() {
    children.forEach(ProcessHandle::destroyForcibly);
    process.descendants().forEach(ProcessHandle::destroyForcibly);
    process.destroyForcibly();
  }
}
