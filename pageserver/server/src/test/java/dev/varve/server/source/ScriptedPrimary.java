package dev.varve.server.source;

import dev.varve.engine.tenant.TimelineName;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;

/**
 * A server that lets everybody in and answers each command with one scripted row: for primaries
 * that cannot be started here. A command that is not in the script is an error.
 */
final class ScriptedPrimary implements AutoCloseable {
  private final ServerSocket listener;
  private final String version;
  private final Map<String, List<String>> answers;

  ScriptedPrimary(String version, Map<String, List<String>> answers) throws IOException {
    this.version = version;
    this.answers = answers;
    listener = new ServerSocket(0, 5, InetAddress.getLoopbackAddress());
    Thread.ofVirtual().start(this::serve);
  }

  SourceSettings settings() {
    return SourceSettings.of(
        new TimelineName("acme", "main"),
        "127.0.0.1",
        listener.getLocalPort(),
        "postgres",
        "",
        "",
        SslMode.DISABLE,
        "");
  }

  private void serve() {
    while (!listener.isClosed()) {
      try (Socket socket = listener.accept()) {
        talk(
            new DataInputStream(socket.getInputStream()),
            new DataOutputStream(socket.getOutputStream()));
      } catch (IOException e) {
        // The client hung up, or this was closed.
      }
    }
  }

  private void talk(DataInputStream in, DataOutputStream out) throws IOException {
    in.skipNBytes(in.readInt() - 4);
    send(out, 'R', new byte[4]);
    send(out, 'S', ("server_version\0" + version + "\0").getBytes(StandardCharsets.UTF_8));
    send(out, 'Z', new byte[] {'I'});
    while (true) {
      in.readByte();
      byte[] command = new byte[in.readInt() - 4];
      in.readFully(command);
      String text = new String(command, 0, command.length - 1, StandardCharsets.UTF_8);
      List<String> row = answers.get(text);
      if (row == null) {
        send(out, 'E', "SERROR\0C42601\0Mnot in the script\0\0".getBytes(StandardCharsets.UTF_8));
      } else {
        send(out, 'D', row(row));
      }
      send(out, 'Z', new byte[] {'I'});
    }
  }

  private static byte[] row(List<String> columns) {
    StringBuilder row = new StringBuilder().append('\0').append((char) columns.size());
    for (String column : columns) {
      row.append("\0\0\0").append((char) column.length()).append(column);
    }
    return row.toString().getBytes(StandardCharsets.ISO_8859_1);
  }

  private static void send(DataOutputStream out, char type, byte[] payload) throws IOException {
    out.writeByte(type);
    out.writeInt(payload.length + 4);
    out.write(payload);
    out.flush();
  }

  @Override
  public void close() throws IOException {
    listener.close();
  }
}
