package dev.varve.server.source;

import dev.varve.engine.postgres.Lsn;
import dev.varve.engine.postgres.PostgresMajor;
import dev.varve.engine.store.FailureText;
import dev.varve.server.source.SourceException.Kind;
import java.io.IOException;
import java.net.ConnectException;
import java.net.NoRouteToHostException;
import java.net.ProtocolException;
import java.net.SocketTimeoutException;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;

/**
 * One primary, as its replication protocol shows it: connects, and checks that it can be a source.
 * Every refusal becomes a {@link SourceException} that says what to do. Stateless and thread-safe.
 */
public final class PrimarySource {
  private static final String APPLICATION_NAME = "varve";

  /** {@code ERRCODE_UNDEFINED_DATABASE}. */
  private static final String NO_DATABASE = "3D000";

  /** {@code NAMEDATALEN} without its end. */
  private static final int MAX_NAME_CHARS = 63;

  private static final Duration ANSWER_TIMEOUT = Duration.ofSeconds(20);

  private final SourceSettings settings;
  private final Tls tls;

  public PrimarySource(SourceSettings settings, Tls tls) {
    this.settings = settings;
    this.tls = tls;
  }

  public SourceSettings settings() {
    return settings;
  }

  /** The slot that the settings name. */
  public ReplicationSlot slot() {
    return new ReplicationSlot(this);
  }

  /** Connects, and checks that the primary can be a source and has the database that is named. */
  public PrimaryIdentity identify() throws SourceException {
    try (PostgresConnection connection = connect()) {
      PrimaryIdentity identity = identify(connection);
      requireDatabase();
      return identity;
    }
  }

  /**
   * A primary may let in no session, and may have dropped the database that is taken when none is
   * named.
   */
  private void requireDatabase() throws SourceException {
    if (settings.database().equals(SourceSettings.DEFAULT_DATABASE)) {
      return;
    }
    try (PostgresConnection _ = session()) {
      return;
    } catch (ServerError e) {
      if (e.sqlState().equals(NO_DATABASE)) {
        throw refused(
            e, "name a database that it has, or none, which is " + SourceSettings.DEFAULT_DATABASE);
      }
    } catch (IOException e) {
      // The WAL sender was let in, and it is what counts.
    }
  }

  /**
   * Connects once and checks that the primary is the cluster of a timeline and still has its slot:
   * all that must hold for {@link WalReceiver} to go on.
   */
  public void verify(PrimaryIdentity expected) throws SourceException {
    try (PostgresConnection connection = connect()) {
      requireSameCluster(expected, identify(connection));
      slot().require(connection);
    }
  }

  /** No slot is left, as a WAL sender says. */
  SourceException noSlot(PostgresConnection connection, ServerError error) throws SourceException {
    try {
      return noRoom(
          Kind.UNFIT,
          new SourceRoom(
              Integer.parseInt(show(connection, "max_replication_slots")),
              Integer.parseInt(show(connection, "max_wal_senders"))),
          error);
    } catch (IOException e) {
      throw failure(e);
    } catch (NumberFormatException e) {
      throw nonsense(e);
    }
  }

  private SourceException noRoom(Kind kind, @Nullable SourceRoom room, ServerError error) {
    String has =
        room == null
            ? ""
            : " with max_replication_slots = "
                + room.replicationSlots()
                + " and max_wal_senders = "
                + room.walSenders();
    return new SourceException(
        kind,
        at()
            + " has no room for another timeline"
            + has
            + " ("
            + error.getMessage()
            + "); drop slots that nobody uses, or raise both and restart it",
        room,
        error);
  }

  /** A WAL sender connection that shows which timeline it is for. */
  PostgresConnection connect(String timeline) throws SourceException {
    return connectAs(applicationName(timeline));
  }

  /** What {@code pg_stat_replication} shows: PostgreSQL cuts names off there. */
  static String applicationName(String timeline) {
    String name = APPLICATION_NAME + ' ' + timeline;
    return name.length() <= MAX_NAME_CHARS ? name : name.substring(0, MAX_NAME_CHARS);
  }

  /** A WAL sender connection. */
  PostgresConnection connect() throws SourceException {
    return connectAs(APPLICATION_NAME);
  }

  private PostgresConnection connectAs(String applicationName) throws SourceException {
    try {
      return PostgresConnection.open(
          settings, PostgresConnection.Role.WAL_SENDER, applicationName, tls, ANSWER_TIMEOUT);
    } catch (IOException e) {
      throw e instanceof ServerError error && error.sqlState().equals("53300")
          ? noWalSender(error)
          : failure(e);
    }
  }

  /** What the primary is; an unsupported one is an error. */
  PrimaryIdentity identify(PostgresConnection connection) throws SourceException {
    try {
      PostgresMajor major = major(connection.parameter("server_version"));
      ResultRow system = only(query(connection, "IDENTIFY_SYSTEM"));
      if (show(connection, "wal_level").equals("minimal")) {
        throw walLevelMinimal();
      }
      String blockSize = show(connection, "block_size");
      if (!blockSize.equals("8192")) {
        throw unfit("was built with a block size of " + blockSize + "; only 8192 is supported");
      }
      return new PrimaryIdentity(
          Long.parseUnsignedLong(system.require(0)),
          major,
          Integer.parseUnsignedInt(system.require(1)),
          Math.toIntExact(bytes(show(connection, "wal_segment_size"))),
          Lsn.parse(system.require(2)));
    } catch (IOException e) {
      throw failure(e);
    } catch (IllegalArgumentException | ArithmeticException e) {
      throw nonsense(e);
    }
  }

  /** What the primary lets a standby cost it. */
  PrimaryLimits limits(PostgresConnection connection) throws SourceException {
    try {
      return new PrimaryLimits(
          bytes(show(connection, "max_slot_wal_keep_size")),
          isStandby(connection) ? "" : show(connection, "synchronous_standby_names"));
    } catch (IOException e) {
      throw failure(e);
    } catch (IllegalArgumentException | ArithmeticException e) {
      throw nonsense(e);
    }
  }

  private static boolean isStandby(PostgresConnection connection) {
    return "on".equals(connection.parameter("in_hot_standby"));
  }

  /** Fails unless both are the same cluster on the same PostgreSQL timeline. */
  void requireSameCluster(PrimaryIdentity expected, PrimaryIdentity found) throws SourceException {
    if (expected.systemIdentifier() != found.systemIdentifier()) {
      throw other(
          "has system identifier "
              + Long.toUnsignedString(found.systemIdentifier())
              + ", the timeline is a copy of "
              + Long.toUnsignedString(expected.systemIdentifier())
              + ": point the timeline at its own primary, or attach this one under another name");
    }
    if (expected.major() != found.major()) {
      throw other(
          "runs PostgreSQL "
              + found.major().number()
              + ", the timeline was copied from "
              + expected.major().number()
              + ": attach the upgraded cluster under another name");
    }
    if (expected.tli() != 0 && expected.tli() != found.tli()) {
      throw other(
          "is on PostgreSQL timeline "
              + found.tli()
              + ", the copy follows "
              + expected.tli()
              + ": a promotion cannot be followed; attach the new primary under another name");
    }
    if (expected.walSegmentBytes() != found.walSegmentBytes()) {
      throw other(
          "has WAL segments of "
              + found.walSegmentBytes()
              + " bytes, the copy was made with "
              + expected.walSegmentBytes()
              + ": attach it under another name");
    }
  }

  /** Fails while the WAL that is wanted next is not there yet. */
  void requireWal(PrimaryIdentity found, long startLsn) throws SourceException {
    if (Long.compareUnsigned(found.walEndLsn(), startLsn) < 0) {
      throw new SourceException(
          Kind.UNREACHABLE,
          at()
              + " has WAL up to "
              + Lsn.format(found.walEndLsn())
              + " only, and the timeline up to "
              + Lsn.format(startLsn)
              + ": a standby that lags gets there; a primary that was set back does not, and is to be"
              + " attached under another name");
    }
  }

  /** A failure while streaming: as {@link #failure}, and what may be wrong with slot and WAL. */
  SourceException streamingFailure(IOException e, long resumeLsn) {
    if (e instanceof ServerError error) {
      switch (error.sqlState()) {
        case "58P01" -> {
          return new SourceException(
              Kind.WAL_GONE,
              at()
                  + " no longer has the WAL from "
                  + Lsn.format(resumeLsn)
                  + " on ("
                  + error.getMessage()
                  + "): what was received stays readable, but cannot be continued; restore the"
                  + " segment to pg_wal, or attach the primary under another name, which copies it"
                  + " anew",
              e);
        }
        case "55000", "42704" -> {
          return slot().lost("is of no more use (" + error.getMessage() + ")", error);
        }
        case "55006" -> {
          return new SourceException(
              Kind.SLOT_IN_USE,
              at()
                  + ": "
                  + error.getMessage()
                  + "; is another pageserver or standby using this slot?",
              e);
        }
        default -> {}
      }
    }
    return failure(e);
  }

  /**
   * A refused or broken base backup: as {@link #failure}, and what may be wrong with the source.
   */
  SourceException backupFailure(IOException e) {
    if (e instanceof ServerError error && error.sqlState().equals("55000")) {
      return new SourceException(
          Kind.UNFIT,
          at()
              + " gives no base backup: "
              + error.getMessage()
              + "; a standby gives one while its primary has full_page_writes = on and it is not"
              + " promoted: set that right, or name the primary",
          e);
    }
    return failure(e);
  }

  /** What a failed conversation means. */
  SourceException failure(IOException e) {
    if (e instanceof ServerError error) {
      String state = error.sqlState();
      if (state.startsWith("28")) {
        return refused(error, "check user, password and the replication lines of pg_hba.conf");
      }
      if (state.equals("42501")) {
        return refused(error, "ALTER ROLE \"" + settings.user() + "\" REPLICATION");
      }
      if (state.equals("08P01")) {
        return refused(error, "set another sslmode or ssl = on");
      }
      return new SourceException(
          Kind.UNREACHABLE, at() + ": " + error.getMessage() + " (SQLSTATE " + state + ")", e);
    }
    if (e instanceof SSLException) {
      return refused(
          e, "check sslmode " + settings.sslMode() + ", the host's name and the root certificates");
    }
    String why =
        switch (e) {
          case SocketTimeoutException _ -> "did not answer in time";
          case UnknownHostException _ ->
              "cannot be reached: no address is known; check the host's name";
          // A Kubernetes Service answers either for a port that it does not have.
          case ConnectException _, NoRouteToHostException _ ->
              "cannot be reached: "
                  + FailureText.of(e)
                  + "; check that it is up, its host and port, listen_addresses, and firewalls";
          case ProtocolException _ ->
              "answered nonsense: " + FailureText.of(e) + "; is it PostgreSQL that listens there?";
          default -> "cannot be reached: " + FailureText.of(e);
        };
    return new SourceException(Kind.UNREACHABLE, at() + " " + why, e);
  }

  private SourceException refused(IOException e, String remedy) {
    return new SourceException(
        Kind.REFUSED, at() + " refuses: " + FailureText.of(e) + "; " + remedy, e);
  }

  private SourceException unfit(String what) {
    return new SourceException(Kind.UNFIT, at() + " " + what);
  }

  private SourceException other(String what) {
    return new SourceException(Kind.OTHER_CLUSTER, at() + " " + what);
  }

  private SourceException walLevelMinimal() {
    return unfit(
        "has wal_level = minimal, which leaves out what a copy needs; set wal_level = replica and"
            + " max_wal_senders to 2 or more, and restart it");
  }

  /** No walsender was free: says whether that is for now or for ever. */
  private SourceException noWalSender(ServerError error) {
    String message = String.valueOf(error.getMessage());
    String walLevel = asSession("SHOW wal_level");
    if ("minimal".equals(walLevel)) {
      return walLevelMinimal();
    }
    if (message.contains("currently 0")) {
      return unfit(
          "lets no WAL sender in ("
              + message
              + "); set max_wal_senders to 2 or more, and restart it");
    }
    return noRoom(Kind.UNREACHABLE, roomAsSession(), error);
  }

  private @Nullable SourceRoom roomAsSession() {
    String slots = asSession("SHOW max_replication_slots");
    String senders = asSession("SHOW max_wal_senders");
    try {
      return slots == null || senders == null
          ? null
          : new SourceRoom(Integer.parseInt(slots), Integer.parseInt(senders));
    } catch (NumberFormatException e) {
      return null;
    }
  }

  /** An ordinary session, which no primary has to let in. */
  PostgresConnection session() throws IOException {
    return PostgresConnection.open(
        settings, PostgresConnection.Role.SESSION, APPLICATION_NAME, tls, ANSWER_TIMEOUT);
  }

  /** Whether no session is let in for as long as nobody changes the primary. */
  static boolean refusesSession(ServerError error) {
    String state = error.sqlState();
    return state.startsWith("28") || state.equals("42501") || state.equals(NO_DATABASE);
  }

  /** One value from an ordinary session, or null: only for better messages. */
  @Nullable String asSession(String query) {
    try (PostgresConnection session = session()) {
      List<ResultRow> rows = session.query(query);
      return rows.isEmpty() ? null : rows.getFirst().get(0);
    } catch (IOException e) {
      return null;
    }
  }

  /** An answer that cannot be read. */
  SourceException nonsense(RuntimeException e) {
    ProtocolException nonsense = new ProtocolException(String.valueOf(e.getMessage()));
    nonsense.initCause(e);
    return failure(nonsense);
  }

  private String show(PostgresConnection connection, String parameter)
      throws SourceException, IOException {
    return only(query(connection, "SHOW " + parameter)).require(0);
  }

  private List<ResultRow> query(PostgresConnection connection, String command)
      throws SourceException {
    try {
      return connection.query(command);
    } catch (IOException e) {
      throw failure(e);
    }
  }

  static ResultRow only(List<ResultRow> rows) throws IOException {
    if (rows.size() != 1) {
      throw new ProtocolException(rows.size() + " rows instead of one");
    }
    return rows.getFirst();
  }

  /** The major out of {@code 17.2 (Debian 17.2-1)} or {@code 18beta1}. */
  private PostgresMajor major(@Nullable String version) throws SourceException {
    String text = version == null ? "" : version;
    int digits = 0;
    while (digits < text.length() && Character.isDigit(text.charAt(digits))) {
      digits++;
    }
    try {
      return PostgresMajor.of(Integer.parseInt(text.substring(0, digits)));
    } catch (IllegalArgumentException e) {
      throw new SourceException(
          Kind.UNFIT,
          at() + " runs PostgreSQL " + text + "; supported majors are 15, 16, 17 and 18",
          e);
    }
  }

  /** PostgreSQL's spelling of a size: {@code 16MB}, {@code 1GB}; {@code -1} for none. */
  private static long bytes(String size) {
    String text = size.toUpperCase(Locale.ROOT);
    int shift =
        text.endsWith("TB")
            ? 40
            : text.endsWith("GB") ? 30 : text.endsWith("MB") ? 20 : text.endsWith("KB") ? 10 : 0;
    String digits = shift == 0 ? text : text.substring(0, text.length() - 2);
    return Math.multiplyExact(Long.parseLong(digits), 1L << shift);
  }

  String at() {
    return "primary " + settings.address();
  }
}
