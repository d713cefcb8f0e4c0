package dev.varve.server.source;

import java.io.Closeable;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.ProtocolException;
import java.net.Socket;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A connection to a PostgreSQL server that can do what the replication protocol needs: simple
 * queries, and copying both ways. Used by one thread, but for {@link #sendCopyData}, {@link
 * #endCopy} and {@link #close}. After an exception other than a {@link ServerError} out of {@link
 * #query} it is of no more use. The reason for a client of our own is
 * docs/decisions/0010-replication-client.md.
 *
 * <p>Failures: {@link ServerError} for what the server refuses, any other {@link IOException} for a
 * connection that does not come about, breaks, or speaks nonsense.
 */
final class PostgresConnection implements Closeable {
  /** What kind of backend is asked for. */
  enum Role {
    /** An ordinary session. */
    SESSION,
    /** A WAL sender for physical replication. */
    WAL_SENDER
  }

  private static final int PROTOCOL_3_0 = 0x00030000;
  private static final int SSL_REQUEST = 80877103;

  private final Socket socket;
  private final MessageChannel channel;
  private final Map<String, String> parameters = new HashMap<>();

  /** Whether we may still send pieces of the copy. Guarded by {@link #channel}. */
  private boolean copyingIn;

  private PostgresConnection(Socket socket) throws IOException {
    this.socket = socket;
    channel = new MessageChannel(socket);
  }

  /**
   * Connects and logs in; {@code timeout} bounds the dialling and, until {@link #readTimeout}, each
   * answer. {@code applicationName} is what the server's views show.
   */
  static PostgresConnection open(
      SourceSettings settings, Role role, String applicationName, Tls tls, Duration timeout)
      throws IOException {
    Socket socket = new Socket();
    try {
      socket.setTcpNoDelay(true);
      socket.setKeepAlive(true);
      socket.setOption(StandardSocketOptions.SO_RCVBUF, 1 << 20);
      socket.setSoTimeout((int) timeout.toMillis());
      socket.connect(
          new InetSocketAddress(settings.host(), settings.port()), (int) timeout.toMillis());
      socket = encrypt(socket, settings, tls);
      PostgresConnection connection = new PostgresConnection(socket);
      connection.logIn(settings, role, applicationName);
      return connection;
    } catch (IOException | RuntimeException e) {
      socket.close();
      throw e;
    }
  }

  private static Socket encrypt(Socket plain, SourceSettings settings, Tls tls) throws IOException {
    if (settings.sslMode() == SslMode.DISABLE) {
      return plain;
    }
    plain.getOutputStream().write(ByteBuffer.allocate(8).putInt(8).putInt(SSL_REQUEST).array());
    plain.getOutputStream().flush();
    // One byte, unbuffered: nothing that came unencrypted may be taken for part of the encrypted
    // stream.
    int answer = plain.getInputStream().read();
    return switch (answer) {
      case 'S' -> tls.wrap(plain, settings.host(), settings.port(), settings.sslMode());
      case 'N' -> {
        if (settings.sslMode() != SslMode.PREFER) {
          throw new ServerError(
              "08P01", "the server does not offer TLS and sslmode is " + settings.sslMode());
        }
        yield plain;
      }
      default ->
          throw new ProtocolException(
              "the server answered the request for TLS with byte " + answer);
    };
  }

  private void logIn(SourceSettings settings, Role role, String applicationName)
      throws IOException {
    List<String> startup =
        new ArrayList<>(List.of("user", settings.user(), "application_name", applicationName));
    switch (role) {
      case SESSION ->
          startup.addAll(List.of("client_encoding", "UTF8", "database", settings.database()));
      // It has no database to know an encoding from, and fails at every text that is not UTF-8 when
      // that is asked for (PostgreSQL 17 pg_server_to_any in src/backend/utils/mb/mbutils.c).
      case WAL_SENDER ->
          startup.addAll(List.of("client_encoding", "SQL_ASCII", "replication", "true"));
    }
    startup.add("");
    byte[] strings = MessageChannel.cStrings(startup.toArray(String[]::new));
    channel.writeStartup(
        ByteBuffer.allocate(4 + strings.length).putInt(PROTOCOL_3_0).put(strings).array());
    Authentication authentication =
        new Authentication(channel, settings.user(), settings.password());
    while (true) {
      int type = next();
      if (type == 'R') {
        authentication.answer(channel.payloadBuffer());
      } else if (type == 'Z') {
        return;
      } else if (type != 'K') {
        throw unexpected(type, "logging in");
      }
    }
  }

  /**
   * How long to wait for each answer from now on; zero for ever (TCP keepalive still notices a peer
   * that is gone).
   */
  void readTimeout(Duration timeout) throws IOException {
    socket.setSoTimeout((int) timeout.toMillis());
  }

  /** A parameter that the server reported, such as {@code server_version}. */
  @Nullable String parameter(String name) {
    return parameters.get(name);
  }

  /** Runs one command and returns the rows of its results. */
  List<ResultRow> query(String command) throws IOException {
    channel.write('Q', MessageChannel.cStrings(command));
    List<ResultRow> rows = new ArrayList<>();
    ServerError error = null;
    while (true) {
      int type;
      try {
        type = next();
      } catch (ServerError e) {
        error = e;
        continue;
      }
      switch (type) {
        case 'D' -> rows.add(row(channel.payloadBuffer()));
        case 'T', 'C', 'I' -> {}
        case 'Z' -> {
          if (error != null) {
            throw error;
          }
          return rows;
        }
        default -> throw unexpected(type, "a query");
      }
    }
  }

  /**
   * Runs a command that copies out or both ways; the results before it are read over.
   *
   * @param firstPieces of our side of the copy, sent in one write with the command: the server has
   *     read them before it sends anything
   * @return false when the command was completed without a copy
   */
  boolean startCopy(String command, byte[]... firstPieces) throws IOException {
    byte[][] messages = new byte[1 + firstPieces.length][];
    messages[0] = MessageChannel.message('Q', MessageChannel.cStrings(command));
    for (int i = 0; i < firstPieces.length; i++) {
      messages[1 + i] = MessageChannel.message('d', firstPieces[i]);
    }
    channel.write(messages);
    while (true) {
      int type = next();
      switch (type) {
        case 'H', 'W' -> {
          synchronized (channel) {
            copyingIn = type == 'W';
          }
          return true;
        }
        case 'Z' -> {
          return false;
        }
        case 'T', 'D', 'C' -> {}
        default -> throw unexpected(type, "the start of a copy");
      }
    }
  }

  /**
   * Waits for the next piece of the copy, which {@link #copyData} then shows. False when the copy
   * is over and the command was completed without an error.
   */
  boolean nextCopyData() throws IOException {
    while (true) {
      int type = next();
      switch (type) {
        case 'd' -> {
          return true;
        }
        case 'c' -> endCopy();
        case 'T', 'D', 'C' -> {}
        case 'Z' -> {
          return false;
        }
        default -> throw unexpected(type, "a copy");
      }
    }
  }

  /**
   * The piece that {@link #nextCopyData} found, in place: valid until the next call. Its array is
   * {@link ByteBuffer#array}.
   */
  ByteBuffer copyData() {
    return channel.payloadBuffer();
  }

  /**
   * Sends a piece of a copy in. May be called by any thread.
   *
   * @return false when our side of the copy is over
   */
  boolean sendCopyData(byte[] bytes) throws IOException {
    synchronized (channel) {
      if (copyingIn) {
        channel.write('d', bytes);
      }
      return copyingIn;
    }
  }

  /**
   * Ends our side of a copy both ways; the server's ends when {@link #nextCopyData} is false. May
   * be called by any thread, and repeated.
   */
  void endCopy() throws IOException {
    synchronized (channel) {
      if (copyingIn) {
        copyingIn = false;
        channel.write('c', new byte[0]);
      }
    }
  }

  /** The next message that is not a notice or a parameter. */
  private int next() throws IOException {
    while (true) {
      int type = channel.read();
      switch (type) {
        case 'S' -> {
          ByteBuffer payload = channel.payloadBuffer();
          parameters.put(MessageChannel.cString(payload), MessageChannel.cString(payload));
        }
        case 'N', 'A' -> {}
        case 'E' -> throw error(channel.payloadBuffer());
        default -> {
          return type;
        }
      }
    }
  }

  private static ServerError error(ByteBuffer payload) throws IOException {
    Map<Character, String> fields = new HashMap<>();
    while (payload.hasRemaining() && payload.get(payload.position()) != 0) {
      char field = (char) payload.get();
      fields.put(field, MessageChannel.cString(payload));
    }
    StringBuilder message = new StringBuilder(fields.getOrDefault('M', "error without a message"));
    for (char extra : new char[] {'D', 'H'}) {
      String text = fields.get(extra);
      if (text != null) {
        message.append(" (").append(text).append(')');
      }
    }
    return new ServerError(fields.getOrDefault('C', ""), message.toString());
  }

  private static ResultRow row(ByteBuffer payload) throws IOException {
    int count = payload.getShort() & 0xFFFF;
    List<byte @Nullable []> columns = new ArrayList<>(count);
    for (int i = 0; i < count; i++) {
      int length = payload.getInt();
      if (length > payload.remaining()) {
        throw new ProtocolException(
            "the server sent a column of " + length + " bytes that is not there");
      }
      if (length < 0) {
        columns.add(null);
      } else {
        byte[] bytes = new byte[length];
        payload.get(bytes);
        columns.add(bytes);
      }
    }
    return new ResultRow(columns);
  }

  private static IOException unexpected(int type, String during) {
    return new ProtocolException("the server sent message " + (char) type + " during " + during);
  }

  /** Breaks the connection; a thread that reads from it gets an {@link IOException}. */
  @Override
  public void close() {
    try {
      socket.close();
    } catch (IOException e) {
      // Nothing is lost with it.
    }
  }
}
