package dev.varve.local.zoo;

import dev.varve.testkit.PlainClient;
import dev.varve.testkit.PostgresServer;
import java.io.IOException;
import java.sql.SQLException;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * The settings that belong to the data, as a session that sets none has them: they change what a
 * query answers or which statements are taken. Those that belong to a machine are left out.
 */
final class Settings {
  private static final String DATA =
      """
      select name, setting from pg_settings
      where category like 'Client Connection Defaults / %' and name not in (
          -- What a session is made of, and for how long it may run, is the machine's.
          'shared_preload_libraries', 'session_preload_libraries', 'local_preload_libraries', 'jit_provider',
          'dynamic_library_path', 'extension_control_path', 'gin_pending_list_limit', 'temp_tablespaces',
          'idle_session_timeout', 'tcp_keepalives_idle', 'client_connection_check_interval', 'event_triggers')
        or category like 'Version and Platform Compatibility / %'
        or category = 'Customized Options'
          -- Whether a copy loads a library is the machine's.
          and split_part(name, '.', 1) <> all (string_to_array(current_setting('shared_preload_libraries'), ','))
        or category = 'Preset Options' and name not in (
          -- Of the machine and of the program.
          'data_directory_mode', 'shared_memory_size', 'shared_memory_size_in_huge_pages', 'in_hot_standby',
          'huge_pages_status', 'num_os_semaphores', 'server_version', 'server_version_num', 'ssl_library',
          'wal_segment_size', 'data_checksums')
        or name in ('password_encryption', 'track_commit_timestamp', 'wal_log_hints', 'createrole_self_grant', 'data_checksums',
          'wal_segment_size', 'max_prepared_transactions', 'krb_caseins_users')
      """;

  private Settings() {}

  /** {@code database setting} → value. */
  static SortedMap<String, String> of(PostgresServer server, List<String> shown)
      throws IOException, SQLException {
    SortedMap<String, String> settings = new TreeMap<>();
    List<String> databases = Habitat.databases(server);
    for (String database : databases.subList(0, Math.min(databases.size(), 8))) {
      try (PlainClient client = new PlainClient(server, database)) {
        for (List<String> row : client.rows(DATA)) {
          settings.put(database + " " + row.getFirst(), row.getLast());
        }
        for (String name : shown) {
          settings.put(
              database + " " + name,
              client.rows("select current_setting('" + name + "', true)").getFirst().getFirst());
        }
      }
    }
    return settings;
  }
}
