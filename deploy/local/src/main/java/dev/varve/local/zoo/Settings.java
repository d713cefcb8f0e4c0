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
 * query answers or which statements are taken. Those that belong to a machine are left out ({@code
 * docs/operations/copy.md} says which are which, and why).
 */
final class Settings {
  private static final String DATA =
      """
      select name, setting from pg_settings
      where category like 'Client Connection Defaults / %' and name !~ '(_timeout|_libraries)$' and name not in (
          'client_encoding', 'client_min_messages', 'transaction_isolation', 'transaction_read_only', 'transaction_deferrable',
          'jit_provider', 'dynamic_library_path', 'extension_control_path', 'gin_pending_list_limit')
        or category like 'Version and Platform Compatibility / %'
        or category = 'Customized Options'
          -- Whether a copy loads a library is the machine's.
          and split_part(name, '.', 1) <> all (string_to_array(replace(
            current_setting('shared_preload_libraries') || ',' || current_setting('session_preload_libraries'), ' ', ''), ','))
        or category = 'Preset Options' and name not in (
          'data_directory_mode', 'shared_memory_size', 'shared_memory_size_in_huge_pages', 'in_hot_standby',
          'huge_pages_status', 'num_os_semaphores')
        or name in ('password_encryption', 'scram_iterations', 'track_commit_timestamp', 'createrole_self_grant', 'default_statistics_target',
          'enable_seqscan', 'random_page_cost', 'autovacuum_freeze_max_age')
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
