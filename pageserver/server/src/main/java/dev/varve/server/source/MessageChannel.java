package dev.varve.server.source;

import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.ProtocolException;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * Messages of PostgreSQL's frontend/backend protocol over a socket: one type byte, a big-endian
 * length that counts itself, the payload. One thread reads; writes of whole messages may come from
 * any. The payload of the last message read stays in {@link #buffer} until the next {@link #read},
 * so that WAL is not copied on its way. Follows PostgreSQL 17 {@code doc/src/sgml/protocol.sgml}.
 */
final class MessageChannel {
  /** Far above what a server sends (WAL comes in 128 kB pieces, backups in 32 kB ones). */
  private static final int MAX_PAYLOAD_BYTES = 64 << 20;

  private static final int HEADER_BYTES = 5;

  private final InputStream in;
  private final OutputStream out;

  /** Bytes read ahead: {@code [next, end)}. */
  private byte[] buffer = new byte[256 << 10];

  private int next;
  private int end;
  private int payload;
  private int payloadLength;

  MessageChannel(Socket socket) throws IOException {
    in = socket.getInputStream();
    out = socket.getOutputStream();
  }

  /**
   * Reads the next message and returns its type; the payload is in the buffer until the next call.
   */
  int read() throws IOException {
    fill(HEADER_BYTES);
    int type = buffer[next] & 0xFF;
    int length = ByteBuffer.wrap(buffer).getInt(next + 1) - 4;
    if (length < 0 || length > MAX_PAYLOAD_BYTES) {
      throw new ProtocolException(
          "the server sent a message of type " + type + " with a length of " + length);
    }
    next += HEADER_BYTES;
    fill(length);
    payload = next;
    payloadLength = length;
    next += length;
    return type;
  }

  byte[] buffer() {
    return buffer;
  }

  /** Where in {@link #buffer} the payload starts. */
  int payload() {
    return payload;
  }

  int payloadLength() {
    return payloadLength;
  }

  /** The payload as a buffer of its own position and limit, big-endian. */
  ByteBuffer payloadBuffer() {
    return ByteBuffer.wrap(buffer, payload, payloadLength);
  }

  /** Sends one message and flushes. */
  void write(char type, byte[] bytes) throws IOException {
    write(message(type, bytes));
  }

  /** Sends whole messages in one write, so that one segment or TLS record has all of a few. */
  synchronized void write(byte[]... messages) throws IOException {
    int length = 0;
    for (byte[] message : messages) {
      length += message.length;
    }
    ByteBuffer all = ByteBuffer.allocate(length);
    for (byte[] message : messages) {
      all.put(message);
    }
    out.write(all.array());
    out.flush();
  }

  /** One message as {@link #write(byte[]...)} takes it. */
  static byte[] message(char type, byte[] bytes) {
    return ByteBuffer.allocate(HEADER_BYTES + bytes.length)
        .put((byte) type)
        .putInt(bytes.length + 4)
        .put(bytes)
        .array();
  }

  /** Sends a message without type: the first of a connection. */
  synchronized void writeStartup(byte[] bytes) throws IOException {
    out.write(ByteBuffer.allocate(4 + bytes.length).putInt(4 + bytes.length).put(bytes).array());
    out.flush();
  }

  /** Reads a string that ends with a zero byte from {@code from}. */
  static String cString(ByteBuffer from) throws IOException {
    int start = from.position();
    int at = start;
    while (at < from.limit() && from.get(at) != 0) {
      at++;
    }
    if (at == from.limit()) {
      throw new ProtocolException("the server sent a string without an end");
    }
    from.position(at + 1);
    return new String(from.array(), from.arrayOffset() + start, at - start, StandardCharsets.UTF_8);
  }

  /** Makes at least {@code count} bytes available from {@link #next}. */
  private void fill(int count) throws IOException {
    if (end - next >= count) {
      return;
    }
    if (buffer.length - next < count) {
      byte[] target = count > buffer.length ? new byte[Math.max(count, buffer.length * 2)] : buffer;
      System.arraycopy(buffer, next, target, 0, end - next);
      buffer = target;
      end -= next;
      next = 0;
    }
    while (end - next < count) {
      int read = in.read(buffer, end, buffer.length - end);
      if (read < 0) {
        throw new EOFException("the server closed the connection");
      }
      end += read;
    }
  }

  /** Bytes of {@code strings}, each with a zero byte behind it. */
  static byte[] cStrings(String... strings) {
    byte[][] parts = new byte[strings.length][];
    int length = 0;
    for (int i = 0; i < strings.length; i++) {
      byte[] text = strings[i].getBytes(StandardCharsets.UTF_8);
      parts[i] = Arrays.copyOf(text, text.length + 1);
      length += text.length + 1;
    }
    ByteBuffer all = ByteBuffer.allocate(length);
    for (byte[] part : parts) {
      all.put(part);
    }
    return all.array();
  }
}
