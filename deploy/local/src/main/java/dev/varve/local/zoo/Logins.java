package dev.varve.local.zoo;

import dev.varve.testkit.PostgresServer;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * Who can log in, over TCP and from an address that the default rules do not trust. Whom a rule of
 * the original's {@code pg_hba.conf} keeps out is not compared: which networks and databases a
 * server admits is the machine's.
 */
final class Logins {
  private static final String RULED_OUT = "ruled out";

  private Logins() {}

  /** What the server answers to each role with its password, and with a wrong one. */
  static SortedMap<String, String> of(PostgresServer server, Map<String, String> passwords) {
    SortedMap<String, String> answers = new TreeMap<>();
    passwords.forEach((role, password) -> {
      put(answers, role + ", right password", answer(server, role, password));
      put(answers, role + ", wrong password", answer(server, role, password + "x"));
    });
    return answers;
  }

  private static void put(Map<String, String> answers, String who, String answer) {
    if (!answer.equals(RULED_OUT)) {
      answers.put(who, answer);
    }
  }

  /** What a copy answers otherwise than its original. */
  static List<String> differences(
      SortedMap<String, String> original, SortedMap<String, String> copy) {
    SortedMap<String, String> compared = new TreeMap<>(copy);
    compared.keySet().retainAll(original.keySet());
    return Contents.differences(original, compared);
  }

  private static String answer(PostgresServer server, String role, String password) {
    Properties properties = new Properties();
    properties.setProperty("user", role);
    properties.setProperty("password", password);
    properties.setProperty("sslmode", "disable");
    properties.setProperty("localSocketAddress", Habitat.SECOND_ADDRESS);
    String url = "jdbc:postgresql://" + Habitat.SECOND_ADDRESS + ":" + server.port() + "/postgres";
    try (Connection connection = DriverManager.getConnection(url, properties)) {
      return connection.isValid(10) ? "in" : "not valid";
    } catch (SQLException e) {
      return String.valueOf(e.getMessage()).contains("pg_hba.conf")
          ? RULED_OUT
          : "refused, " + e.getSQLState();
    }
  }
}
