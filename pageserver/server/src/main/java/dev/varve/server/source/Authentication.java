package dev.varve.server.source;

import com.ongres.scram.client.ScramClient;
import com.ongres.scram.common.exception.ScramException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The client's half of authentication: trust, password, md5 and SCRAM-SHA-256. One instance per
 * connection; answers each {@code Authentication…} message. Follows PostgreSQL 17 {@code
 * doc/src/sgml/protocol.sgml}, "Start-up".
 */
final class Authentication {
  private static final String SCRAM = "SCRAM-SHA-256";
  private static final int OK = 0;
  private static final int CLEARTEXT = 3;
  private static final int MD5 = 5;
  private static final int SASL = 10;
  private static final int SASL_CONTINUE = 11;
  private static final int SASL_FINAL = 12;

  private final MessageChannel channel;
  private final String user;
  private final String password;
  private @Nullable ScramClient scram;
  private boolean scramDone;

  Authentication(MessageChannel channel, String user, String password) {
    this.channel = channel;
    this.user = user;
    this.password = password;
  }

  /**
   * Answers one message of type {@code R}.
   *
   * @throws ServerError (SQLSTATE 28000) when the server asks for what this client cannot do or
   *     does not prove itself
   */
  void answer(ByteBuffer message) throws IOException {
    int kind = message.getInt();
    switch (kind) {
      case OK -> {
        if (scram != null && !scramDone) {
          throw refused("the server let us in without proving that it knows the password");
        }
      }
      case CLEARTEXT -> channel.write('p', MessageChannel.cStrings(password()));
      case MD5 -> {
        byte[] salt = new byte[4];
        message.get(salt);
        String inner = md5((password() + user).getBytes(StandardCharsets.UTF_8), new byte[0]);
        String outer = md5(inner.getBytes(StandardCharsets.US_ASCII), salt);
        channel.write('p', MessageChannel.cStrings("md5" + outer));
      }
      case SASL -> startScram(message);
      case SASL_CONTINUE -> {
        try {
          scram().serverFirstMessage(text(message));
          channel.write('p', bytes(scram().clientFinalMessage().toString()));
        } catch (ScramException e) {
          throw refused(String.valueOf(e.getMessage()));
        }
      }
      case SASL_FINAL -> {
        try {
          scram().serverFinalMessage(text(message));
          scramDone = true;
        } catch (ScramException e) {
          throw refused("the server does not know the password it checks: " + e.getMessage());
        }
      }
      default ->
          throw refused(
              "the server asks for authentication method "
                  + kind
                  + "; supported are trust, password, md5 and scram-sha-256");
    }
  }

  private void startScram(ByteBuffer message) throws IOException {
    List<String> offered = new ArrayList<>();
    while (message.hasRemaining() && message.get(message.position()) != 0) {
      offered.add(MessageChannel.cString(message));
    }
    if (!offered.contains(SCRAM)) {
      throw refused("the server offers only " + offered + "; supported is " + SCRAM);
    }
    // The server takes the user's name from the startup packet.
    ScramClient client =
        ScramClient.builder()
            .advertisedMechanisms(List.of(SCRAM))
            .username("*")
            .password(password().toCharArray())
            .build();
    scram = client;
    byte[] first = bytes(client.clientFirstMessage().toString());
    byte[] name = MessageChannel.cStrings(SCRAM);
    channel.write(
        'p',
        ByteBuffer.allocate(name.length + 4 + first.length)
            .put(name)
            .putInt(first.length)
            .put(first)
            .array());
  }

  private ScramClient scram() throws ServerError {
    ScramClient client = scram;
    if (client == null) {
      throw refused("the server goes on with an authentication that was not begun");
    }
    return client;
  }

  private String password() throws ServerError {
    if (password.isEmpty()) {
      throw refused("the server asks for a password and none was given");
    }
    return password;
  }

  private static ServerError refused(String message) {
    return new ServerError("28000", message);
  }

  private static String text(ByteBuffer message) {
    byte[] bytes = new byte[message.remaining()];
    message.get(bytes);
    return new String(bytes, StandardCharsets.UTF_8);
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  private static String md5(byte[] text, byte[] salt) {
    try {
      MessageDigest digest = MessageDigest.getInstance("MD5");
      digest.update(text);
      return HexFormat.of().formatHex(digest.digest(salt));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}
