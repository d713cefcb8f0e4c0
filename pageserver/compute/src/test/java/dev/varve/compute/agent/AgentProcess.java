package dev.varve.compute.agent;

import dev.varve.testkit.AgentJvm;
import dev.varve.testkit.FreePort;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** The agent as a child process, with the flags that it is meant to run with. */
final class AgentProcess implements AutoCloseable {
  final Process process;
  final int port;
  private final BufferedReader output;
  private final List<String> lines = new ArrayList<>();

  AgentProcess(String server, Path directory, Path postgres, int uid, String... more)
      throws IOException {
    port = FreePort.any();
    List<String> command = AgentJvm.command("-XX:TieredStopAtLevel=1");
    command.addAll(
        List.of(
            "-cp",
            System.getProperty("java.class.path"),
            Agent.class.getName(),
            "--server",
            server,
            "--timeline",
            "main",
            "--directory",
            directory.toString(),
            "--postgres",
            postgres.toString(),
            "--port",
            "" + port,
            "--user",
            "" + uid));
    command.addAll(List.of(more));
    process = new ProcessBuilder(command).redirectErrorStream(true).start();
    output = process.inputReader(StandardCharsets.UTF_8);
  }

  /** The line that says ready; fails with all output when the agent ends before. */
  String awaitReady() throws IOException {
    return awaitLine("varve-agent: ready");
  }

  String awaitLine(String start) throws IOException {
    for (String line = output.readLine(); line != null; line = output.readLine()) {
      lines.add(line);
      if (line.contains(start)) {
        return line;
      }
    }
    throw new IOException("the agent ended: " + String.join("\n", lines));
  }

  String allOutput() throws IOException {
    for (String line = output.readLine(); line != null; line = output.readLine()) {
      lines.add(line);
    }
    return String.join("\n", lines);
  }

  Connection connect() throws SQLException {
    return connect("postgres");
  }

  private Connection connect(String database) throws SQLException {
    return DriverManager.getConnection(
        "jdbc:postgresql://127.0.0.1:" + port + "/" + database + "?user=postgres&sslmode=disable");
  }

  String query(String sql) throws SQLException {
    try (Connection connection = connect();
        Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery(sql)) {
      return rows.next() ? String.valueOf(rows.getString(1)) : "";
    }
  }

  void execute(String... statements) throws SQLException {
    executeIn("postgres", statements);
  }

  void executeIn(String database, String... statements) throws SQLException {
    try (Connection connection = connect(database);
        Statement statement = connection.createStatement()) {
      for (String sql : statements) {
        statement.execute(sql);
      }
    }
  }

  /** SIGTERM; the output. */
  String stop() throws IOException, InterruptedException {
    process.toHandle().destroy(); // Process.destroy would close the output
    String all = allOutput();
    process.waitFor(60, TimeUnit.SECONDS);
    return all;
  }

  @Override
  public void close() throws IOException {
    if (process.isAlive()) {
      process.toHandle().destroy(); // Process.destroy would close the output
      try {
        if (!process.waitFor(60, TimeUnit.SECONDS)) {
          process.destroyForcibly();
        }
      } catch (InterruptedException e) {
        process.destroyForcibly();
        Thread.currentThread().interrupt();
      }
    }
    output.close();
  }
}
