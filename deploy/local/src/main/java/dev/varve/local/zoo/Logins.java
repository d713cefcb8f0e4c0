package dev.varve.local.zoo;

import dev.varve.testkit.PostgresServer;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.Map;
import java.util.Properties;
import java.util.SortedMap;
import java.util.TreeMap;

/** Who can log in, over TCP and from an address that the default rules do not trust. */
final class Logins {
  private Logins() {}

  /** What the server answers to each role with its password, and with a wrong one. */
  static SortedMap<String, String> of(PostgresServer server, Map<String, String> passwords) {
    SortedMap<String, String> answers = new TreeMap<>();
    passwords.forEach((role, password) -> {
      answers.put(role + ", right password", answer(server, role, password));
      answers.put(role + ", wrong password", answer(server, role, password + "x"));
    });
    return answers;
  }

  private static String answer(PostgresServer server, String role, String password) {
    Properties properties = new Properties();
    properties.setProperty("user", role);
    properties.setProperty("password", password);
    properties.setProperty("sslmode", "disable");
    properties.setProperty("localSocketAddress", Habitat.SECOND_ADDRESS);
    String url =
        "jdbc:postgresql://" + Habitat.SECOND_ADDRESS + ":" + server.port() + "/postgres";
    try (Connection connection = DriverManager.getConnection(url, properties)) {
      return connection.isValid(10) ? "in" : "not valid";
    } catch (SQLException e) {
      return "refused, " + e.getSQLState();
    }
  }
}
