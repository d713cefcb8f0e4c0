package dev.varve.compute.agent;

import dev.varve.compute.fuse.ProcessOwner;
import dev.varve.compute.settings.Allowance;
import dev.varve.compute.settings.CopyIsolation;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The command line. Parsed by hand: an option library costs a tenth of the whole start.
 *
 * @param server {@code host:port} of the pageserver, or a pattern of its shards' addresses
 * @param lsn 0 for the newest
 * @param prepareOnly end when the data directory is complete; {@code postgres} means nothing then
 * @param user who runs PostgreSQL
 * @param readTimeout of one read, with all its retries
 * @param allowed what a copy does not do otherwise
 * @param hba lines of {@code pg_hba.conf} that come first
 */
record AgentOptions(
    String server,
    String timeline,
    long lsn,
    Path directory,
    Path postgres,
    int port,
    int user,
    int group,
    boolean eager,
    boolean prepareOnly,
    boolean writeThrough,
    int workers,
    Duration readTimeout,
    Map<String, String> settings,
    Set<Allowance> allowed,
    String hba) {
  static final String USAGE =
      """
      Starts stock PostgreSQL on a timeline of a pageserver.

        --server HOST:PORT    the pageserver; {shard} in it stands for the number of a shard, where they are on several,
                              and {6400+shard} for that number added to another;
                              the environment's VARVE_TOKEN is the token that reads want, if any
        --timeline NAME       the timeline, as TENANT/TIMELINE
        --lsn X/Y             start at this LSN instead of the newest; a restart keeps its own
        --directory DIR       everything local; must not exist, be empty, or be a cleanly stopped compute's
        --postgres BIN_DIR    the directory that holds the program postgres, of the timeline's major version
        --port N              default 5432
        --user UID[:GID]      who runs PostgreSQL when the agent is root; default 999, otherwise oneself
        --setting NAME=VALUE  a PostgreSQL setting, may be repeated
        --allow WHAT[,WHAT]   what a copy does not do otherwise, since it would act for its original:
                              logical-replication, archiving, standby, preloaded-libraries
        --hba LINE            a line of pg_hba.conf that comes before the others, at the first start; may be repeated
        --eager               copy every page before starting; needs no mount and no privilege
        --prepare-only        with --eager: end when the data directory is complete, without starting PostgreSQL
        --write-through       no write-back cache in the mount
        --workers N           threads of the mount, 1 to 256; default 16
        --read-timeout N      seconds that a read waits for a pageserver that does not answer, before PostgreSQL is told
                              of an input/output error; 1 to 86400, default 180
      """;

  /**
   * @throws AgentException naming the option that is wrong or missing
   */
  static AgentOptions parse(String[] arguments) throws AgentException {
    Map<String, String> given = new LinkedHashMap<>();
    Map<String, String> settings = new LinkedHashMap<>();
    StringBuilder hba = new StringBuilder();
    for (int i = 0; i < arguments.length; i++) {
      String option = arguments[i];
      switch (option) {
        case "--eager", "--write-through", "--prepare-only" -> given.put(option, "");
        case "--setting" -> {
          String pair = value(arguments, ++i, option);
          int equals = pair.indexOf('=');
          if (equals < 1 || !pair.substring(0, equals).matches("[A-Za-z_][A-Za-z0-9_.]*")) {
            throw new AgentException("--setting wants NAME=VALUE, not " + pair);
          }
          settings.put(pair.substring(0, equals), pair.substring(equals + 1));
        }
        case "--hba" -> hba.append(value(arguments, ++i, option)).append('\n');
        case "--server",
            "--timeline",
            "--lsn",
            "--directory",
            "--postgres",
            "--port",
            "--user",
            "--allow",
            "--workers",
            "--read-timeout" ->
            given.put(option, value(arguments, ++i, option));
        default -> throw new AgentException("unknown option " + option + "\n\n" + USAGE);
      }
    }
    boolean prepareOnly = given.containsKey("--prepare-only");
    if (prepareOnly && !given.containsKey("--eager")) {
      throw new AgentException(
          "--prepare-only wants --eager: a mount ends with the agent that made it");
    }
    boolean root = ProcessOwner.user() == 0;
    String[] user = given.getOrDefault("--user", root ? "999" : "").split(":", 2);
    int uid =
        user[0].isEmpty() ? ProcessOwner.user() : number("--user", user[0], 1, Integer.MAX_VALUE);
    int gid =
        user.length > 1
            ? number("--user", user[1], 0, Integer.MAX_VALUE)
            : user[0].isEmpty() ? ProcessOwner.group() : uid;
    return new AgentOptions(
        required(given, "--server"),
        required(given, "--timeline"),
        lsn(given.get("--lsn")),
        Path.of(required(given, "--directory")).toAbsolutePath().normalize(),
        Path.of(prepareOnly ? "" : required(given, "--postgres")).toAbsolutePath(),
        number("--port", given.getOrDefault("--port", "5432"), 1, 65535),
        uid,
        gid,
        given.containsKey("--eager"),
        prepareOnly,
        given.containsKey("--write-through"),
        number("--workers", given.getOrDefault("--workers", "16"), 1, 256),
        Duration.ofSeconds(
            number("--read-timeout", given.getOrDefault("--read-timeout", "180"), 1, 86_400)),
        settings,
        allowed(given.getOrDefault("--allow", ""), settings),
        hba.toString());
  }

  private static Set<Allowance> allowed(String list, Map<String, String> settings)
      throws AgentException {
    try {
      Set<Allowance> allowed = Allowance.parse(list);
      CopyIsolation.check(settings, allowed);
      return allowed;
    } catch (IllegalArgumentException e) {
      throw new AgentException("--allow: " + e.getMessage());
    }
  }

  private static String value(String[] arguments, int i, String option) throws AgentException {
    if (i >= arguments.length) {
      throw new AgentException(option + " wants a value");
    }
    return arguments[i];
  }

  private static String required(Map<String, String> given, String option) throws AgentException {
    String value = given.get(option);
    if (value == null || value.isEmpty()) {
      throw new AgentException(option + " is missing\n\n" + USAGE);
    }
    return value;
  }

  private static int number(String option, String text, int least, int most) throws AgentException {
    try {
      int value = Integer.parseInt(text);
      if (value >= least && value <= most) {
        return value;
      }
    } catch (NumberFormatException e) {
      // told below
    }
    throw new AgentException(
        option + " wants a number from " + least + " to " + most + ", not " + text);
  }

  private static long lsn(@Nullable String text) throws AgentException {
    if (text == null) {
      return 0;
    }
    try {
      String[] half = text.split("/", 2);
      if (half.length == 2) {
        return Integer.toUnsignedLong(Integer.parseUnsignedInt(half[0], 16)) << 32
            | Integer.toUnsignedLong(Integer.parseUnsignedInt(half[1], 16));
      }
    } catch (NumberFormatException e) {
      // told below
    }
    throw new AgentException("--lsn wants an LSN such as 0/16B3748, not " + text);
  }
}
