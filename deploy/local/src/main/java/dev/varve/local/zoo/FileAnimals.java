package dev.varve.local.zoo;

import dev.varve.testkit.PostgresServer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;

/** Configuration and keys in files of all kinds and at all places. */
final class FileAnimals {
  private FileAnimals() {}

  static List<Animal> all() {
    return List.of(
        Animal.named(
                "includes", "`include`, `include_dir`, inside of the data directory and outside")
            .configured(habitat -> {
              Path data = habitat.primary().dataDirectory();
              Path outside = habitat.directory("conf.d of the machine");
              Habitat.write(outside.resolve("10-zone.conf"), "timezone = 'Europe/Rome'\n");
              Habitat.write(outside.resolve("20-zone.conf"), "TimeZone 'Europe/Oslo'\n");
              Habitat.write(outside.resolve("ignored.txt"), "timezone = 'Mars'\n");
              habitat.directory(data.resolve("conf.d").toString());
              Habitat.write(data.resolve("conf.d/dates.conf"), "DATESTYLE = 'SQL,DMY' # German\n");
              Habitat.append(
                  data.resolve("postgresql.conf"),
                  "include_dir 'conf.d'\ninclude_dir = '"
                      + outside
                      + "'\ninclude_if_exists 'nowhere.conf'\n"
                      + "default_text_search_config = 'pg_catalog.spanish'\nbytea_output=escape");
            }),
        Animal.named("files-elsewhere", "configuration outside of the data directory, as on Debian")
            .configured(habitat -> {
              Path etc = habitat.directory("etc");
              Path data = habitat.primary().dataDirectory();
              for (String name : List.of("postgresql.conf", "pg_hba.conf", "pg_ident.conf")) {
                Path moved = etc.resolve(name);
                Files.copy(data.resolve(name), moved);
                PostgresServer.own(moved);
              }
              // What is left behind is for the standbys that are made of a backup.
              Habitat.write(data.resolve("postgresql.conf"), "timezone = 'America/Bogota'\n");
              Habitat.append(
                  etc.resolve("postgresql.conf"),
                  "\ndata_directory = '"
                      + data
                      + "'\nhba_file = '"
                      + etc.resolve("pg_hba.conf")
                      + "'\nident_file = '"
                      + etc.resolve("pg_ident.conf")
                      + "'\nexternal_pid_file = '"
                      + etc.resolve("main.pid")
                      + "'\ntimezone = 'America/Lima'\n");
              habitat.primary().setting("config_file", etc.resolve("postgresql.conf").toString());
            }),
        Animal.named("hba-includes", "`include` and `@` in `pg_hba.conf` and `pg_ident.conf`")
            .on(major -> major >= 16)
            .configured(habitat -> {
              Path data = habitat.primary().dataDirectory();
              habitat.directory(data.resolve("hba.d").toString());
              Habitat.write(data.resolve("hba.d/1.conf"), "host all @names 127.0.0.2/32 md5\n");
              Habitat.write(data.resolve("hba.d/names"), "young, \"Old One\"\n");
              Habitat.write(data.resolve("ident.d.conf"), "m /^(.*)$ \\1\n");
              Habitat.append(data.resolve("pg_ident.conf"), "include ident.d.conf\n");
              Habitat.append(
                  data.resolve("pg_hba.conf"),
                  "include_dir hba.d\ninclude_if_exists none\nhost all /^re[0-9]$ 127.0.0.2/32 scram-sha-256\n");
            })
            .built(
                "create role young login password 'y'",
                "create role \"Old One\" login password 'o'",
                "create role re5 login password 'r'")
            .login("young", "y")
            .login("Old One", "o")
            .login("re5", "r"),
        Animal.named("tls", "`ssl`, keys in the data directory, TLS asked of everybody")
            .sslMode("require")
            .password("of the superuser")
            .setting("ssl", "on")
            .setting("ssl_min_protocol_version", "TLSv1.3")
            .configured(habitat -> {
              Path data = habitat.primary().dataDirectory();
              certify(habitat, data.resolve("server.crt"), data.resolve("server.key"));
              trustUnencrypted(habitat);
            })
            .built("create role young login password 'y'")
            .login("young", "y"),
        Animal.named(
                "tls-elsewhere", "`ssl_ca_file`, `clientcert`, keys outside of the data directory")
            .sslMode("prefer")
            .configured(habitat -> {
              Path keys = habitat.directory("keys");
              certify(habitat, keys.resolve("server.crt"), keys.resolve("server.key"));
              Habitat.append(
                  habitat.primary().dataDirectory().resolve("postgresql.conf"),
                  "ssl = on\nssl_cert_file = '"
                      + keys.resolve("server.crt")
                      + "'\nssl_key_file = '"
                      + keys.resolve("server.key")
                      + "'\nssl_ca_file = '"
                      + keys.resolve("server.crt")
                      + "'\n");
              Path hba = habitat.primary().dataDirectory().resolve("pg_hba.conf");
              String rules = Files.readString(hba);
              Habitat.write(hba, "hostssl all certified all cert clientcert=verify-full\n" + rules);
            })
            .built("create role certified login", "create role young login password 'y'")
            .login("certified", "x")
            .login("young", "y"),
        Animal.named("settings-latin1", "`postgresql.conf` in LATIN1")
            .initdb("--encoding=LATIN1")
            .configured(habitat -> {
              Files.write(
                  habitat.primary().dataDirectory().resolve("postgresql.conf"),
                  """
                  # von Björn
                  search_path = '"Größe", public'
                  log_line_prefix = '%m für %d '
                  timezone = 'Europe/Berlin'
                  """
                      .getBytes(StandardCharsets.ISO_8859_1),
                  StandardOpenOption.APPEND);
            })
            .built(
                "create schema \"Größe\"",
                "create table \"Größe\".t as select generate_series(1, 10) i",
                "create table public.public_one as select generate_series(1, 10) i")
            .computed("select * from t"));
  }

  /** A certificate that signs itself, and its key. */
  private static void certify(Habitat habitat, Path certificate, Path key) throws Exception {
    List<String> command =
        List.of(
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
            "-out",
            certificate.toString(),
            "-keyout",
            key.toString());
    Path log = habitat.home().resolve("openssl.log");
    Process process =
        new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(log.toFile()).start();
    if (process.waitFor() != 0) {
      throw new IOException("openssl failed: " + Files.readString(log));
    }
    for (Path file : List.of(certificate, key)) {
      Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-------"));
      PostgresServer.own(file);
    }
  }

  /**
   * Of the harness, not of the pageserver: it comes with TLS, and the first rule asks for SCRAM.
   */
  private static void trustUnencrypted(Habitat habitat) throws IOException {
    Path hba = habitat.primary().dataDirectory().resolve("pg_hba.conf");
    String rules = Files.readString(hba);
    Habitat.write(
        hba,
        """
        hostssl all,replication all 127.0.0.1/32 scram-sha-256
        hostnossl all,replication postgres 127.0.0.1/32 trust
        hostssl all all 127.0.0.2/32 scram-sha-256
        """
            + rules);
  }
}
