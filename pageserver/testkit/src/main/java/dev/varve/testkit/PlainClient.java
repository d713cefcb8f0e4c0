package dev.varve.testkit;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.Closeable;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * A session that brings no settings of its own: the JDBC driver sets time zone, date style, client
 * encoding and others when it connects, so that it cannot tell what a server has. Simple queries
 * only, and only where the server trusts (PostgreSQL 17 doc/src/sgml/protocol.sgml).
 */
public final class PlainClient implements Closeable {
  private static final int PROTOCOL_3 = 3 << 16;
  private static final int TIMEOUT_MILLIS = 60_000;

  private final Socket socket;
  private final DataInputStream in;
  private final DataOutputStream out;

  public PlainClient(PostgresServer server, String database) throws IOException {
    this(server, database, false);
  }

  /** A session that takes replication commands. */
  static PlainClient replication(PostgresServer server) throws IOException {
    return new PlainClient(server, "postgres", true);
  }

  private PlainClient(PostgresServer server, String database, boolean replication)
      throws IOException {
    socket = new Socket(InetAddress.getLoopbackAddress(), server.port());
    socket.setSoTimeout(TIMEOUT_MILLIS);
    in = new DataInputStream(new BufferedInputStream(socket.getInputStream()));
    out = new DataOutputStream(socket.getOutputStream());
    ByteArrayOutputStream startup = new ByteArrayOutputStream();
    List<String> words =
        List.of(
            "user",
            server.superuser(),
            "database",
            database,
            "replication",
            replication ? "database" : "false");
    for (String word : words) {
      startup.writeBytes(word.getBytes(StandardCharsets.UTF_8));
      startup.write(0);
    }
    startup.write(0);
    out.writeInt(8 + startup.size());
    out.writeInt(PROTOCOL_3);
    out.write(startup.toByteArray());
    out.flush();
    var _ = answers();
  }

  /** The rows of a query, each with its columns as text; null is {@code null}. */
  public List<List<String>> rows(String sql) throws IOException {
    byte[] query = sql.getBytes(StandardCharsets.UTF_8);
    out.writeByte('Q');
    out.writeInt(4 + query.length + 1);
    out.write(query);
    out.writeByte(0);
    out.flush();
    return answers();
  }

  private List<List<String>> answers() throws IOException {
    List<List<String>> rows = new ArrayList<>();
    String error = "";
    while (true) {
      int type = in.readByte();
      byte[] body = new byte[in.readInt() - 4];
      in.readFully(body);
      switch (type) {
        case 'R' -> {
          int request = ByteBuffer.wrap(body).getInt();
          if (request != 0) {
            throw new IOException("the server asks for a password (" + request + ")");
          }
        }
        case 'D' -> rows.add(row(ByteBuffer.wrap(body)));
        case 'E' -> {
          error = new String(body, StandardCharsets.UTF_8).replace('\0', ' ');
          if (error.startsWith("SFATAL")) {
            throw new IOException(error);
          }
        }
        case 'Z' -> {
          if (!error.isEmpty()) {
            throw new IOException(error);
          }
          return rows;
        }
        default -> {
          // Parameters, notices, descriptions, and data of a copy.
        }
      }
    }
  }

  private static List<String> row(ByteBuffer body) {
    List<String> columns = new ArrayList<>();
    int count = body.getShort();
    for (int i = 0; i < count; i++) {
      int length = body.getInt();
      if (length < 0) {
        columns.add("null");
        continue;
      }
      byte[] value = new byte[length];
      body.get(value);
      columns.add(new String(value, StandardCharsets.UTF_8));
    }
    return columns;
  }

  @Override
  public void close() throws IOException {
    socket.close();
  }
}
