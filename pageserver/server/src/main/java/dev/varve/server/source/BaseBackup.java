package dev.varve.server.source;

import java.io.ByteArrayInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.net.ProtocolException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Takes one base backup over the replication protocol and hands its files to a {@link BackupSink}.
 * The server makes one tar per tablespace and sends them one behind the other; files of user
 * tablespaces arrive as {@code pg_tblspc/OID/…}, and {@code pg_tblspc/OID} itself as a link. No
 * manifest is asked for: pages bring their checksums, and {@code backup_label} brings the start.
 * Follows PostgreSQL 17 {@code doc/src/sgml/protocol.sgml}, BASE_BACKUP, as it is since 15.
 *
 * <p>Runs on the caller's thread. After a failure the sink has part of the files and is to be
 * thrown away.
 */
public final class BaseBackup implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(BaseBackup.class);

  private static final String COMMAND =
      "BASE_BACKUP ( LABEL 'varve', CHECKPOINT 'fast', WAIT false, MANIFEST 'no',"
          + " TABLESPACE_MAP true )";

  /** The TLI of a cluster that was never promoted: it has no history file. */
  private static final int FIRST_TLI = 1;

  /** {@code ERRCODE_UNDEFINED_FILE}. */
  private static final String UNDEFINED_FILE = "58P01";

  /** A fast checkpoint writes out all of the primary's buffers. */
  private static final Duration CHECKPOINT_TIMEOUT = Duration.ofHours(1);

  /** How long a backup that has begun may send nothing: its line is gone then. */
  private static final Duration SILENCE = Duration.ofMinutes(2);

  private final PrimarySource source;
  private final AtomicLong copiedBytes;
  private final Duration silence;
  private volatile @Nullable PostgresConnection current;
  private volatile boolean closed;

  /** {@code copiedBytes} counts what came so far, for whoever watches. */
  public BaseBackup(PrimarySource source, AtomicLong copiedBytes) {
    this(source, copiedBytes, SILENCE);
  }

  /** For tests, which do not wait for minutes. */
  BaseBackup(PrimarySource source, AtomicLong copiedBytes, Duration silence) {
    this.source = source;
    this.copiedBytes = copiedBytes;
    this.silence = silence;
  }

  /**
   * Copies the cluster. Returns when the server has said that the backup is complete.
   *
   * @param expected what the primary was when it was attached
   * @throws IOException of the sink
   */
  public void copy(PrimaryIdentity expected, BackupSink sink) throws SourceException, IOException {
    try (PostgresConnection connection = source.connect()) {
      current = connection;
      if (closed) {
        throw new SourceException(SourceException.Kind.UNREACHABLE, "the copy was ended");
      }
      PrimaryIdentity found = source.identify(connection);
      source.requireSameCluster(expected, found);
      history(connection, found.tli(), sink);
      try {
        connection.readTimeout(CHECKPOINT_TIMEOUT);
        if (!connection.startCopy(COMMAND)) {
          throw new ProtocolException("the server took the backup for done before it began");
        }
        connection.readTimeout(silence);
      } catch (IOException e) {
        throw source.backupFailure(e);
      }
      Archives archives = new Archives(connection);
      try {
        while (archives.nextArchive()) {
          files(archives, sink);
        }
      } catch (ArchiveException e) {
        throw source.backupFailure(e.cause());
      }
    }
  }

  /** Breaks the connection: a copy under way fails. Any thread. */
  @Override
  public void close() {
    closed = true;
    PostgresConnection connection = current;
    if (connection != null) {
      connection.close();
    }
  }

  /**
   * Hands over the history file of the TLI, which is not in a backup: {@code pg_wal} is empty
   * there.
   */
  private void history(PostgresConnection connection, int tli, BackupSink sink)
      throws SourceException, IOException {
    if (tli == FIRST_TLI) {
      return;
    }
    String name;
    byte[] file;
    try {
      ResultRow row =
          connection.query("TIMELINE_HISTORY " + Integer.toUnsignedString(tli)).getFirst();
      name = row.require(0);
      file = row.bytes(1);
    } catch (ServerError e) {
      if (e.sqlState().equals(UNDEFINED_FILE)) {
        LOG.info(
            "{} has no history file of TLI {}; so neither has the copy", source.settings(), tli);
        return;
      }
      throw source.failure(e);
    } catch (IOException e) {
      throw source.failure(e);
    }
    if (file != null) {
      sink.file("pg_wal/" + name, file.length, new ByteArrayInputStream(file));
    }
  }

  private void files(Archives archives, BackupSink sink) throws IOException {
    String prefix = archives.prefix();
    TarArchiveInputStream tar = new TarArchiveInputStream(archives, "UTF-8");
    TarArchiveEntry entry = tar.getNextEntry();
    while (entry != null) {
      String name = relative(entry.getName());
      String path = name.isEmpty() ? prefix : prefix + name;
      if (entry.isSymbolicLink()) {
        sink.link(path, entry.getLinkName());
      } else if (entry.isDirectory()) {
        if (!name.isEmpty()) {
          sink.directory(path);
        }
      } else if (entry.isFile()) {
        sink.file(path, entry.getSize(), tar);
      } else {
        throw new IOException(
            "the base backup holds " + path + ", which is no file, directory or link");
      }
      entry = tar.getNextEntry();
    }
    archives.skipToEnd();
  }

  private static String relative(String name) {
    String path = name.startsWith("./") ? name.substring(2) : name;
    path = path.endsWith("/") ? path.substring(0, path.length() - 1) : path;
    if (path.equals(".")) {
      return "";
    }
    if (path.startsWith("/")
        || path.equals("..")
        || path.startsWith("../")
        || path.contains("/../")) {
      throw new IllegalArgumentException("the base backup holds a file outside of it: " + name);
    }
    return path;
  }

  /** A failure of the connection below the tar reader, told apart from one of the sink. */
  private static final class ArchiveException extends IOException {
    private static final long serialVersionUID = 1L;
    private final IOException cause;

    ArchiveException(IOException cause) {
      super(cause);
      this.cause = cause;
    }

    IOException cause() {
      return cause;
    }
  }

  /** The bytes of one archive at a time. */
  private final class Archives extends InputStream {
    private final PostgresConnection connection;
    private ByteBuffer piece = ByteBuffer.allocate(0);

    /** Null before the first archive and when the current one has ended. */
    private @Nullable String nextTablespace;

    private String tablespace = "";
    private boolean inArchive;
    private boolean over;

    Archives(PostgresConnection connection) {
      this.connection = connection;
    }

    /** Moves to the next archive; false when the backup is complete. */
    boolean nextArchive() throws IOException {
      inArchive = false;
      if (nextTablespace == null && !over) {
        advance();
      }
      if (nextTablespace == null) {
        return false;
      }
      tablespace = Objects.requireNonNull(nextTablespace);
      nextTablespace = null;
      inArchive = true;
      return true;
    }

    /** What the archive's paths are relative to: empty, or {@code pg_tblspc/OID/}. */
    String prefix() {
      return tablespace.isEmpty() ? "" : "pg_tblspc/" + tablespace + "/";
    }

    void skipToEnd() throws IOException {
      while (more()) {
        piece.position(piece.limit());
      }
    }

    @Override
    public int read() throws IOException {
      return more() ? piece.get() & 0xFF : -1;
    }

    @Override
    public int read(byte[] target, int offset, int length) throws IOException {
      if (length == 0) {
        return 0;
      }
      if (!more()) {
        return -1;
      }
      int count = Math.min(length, piece.remaining());
      piece.get(target, offset, count);
      return count;
    }

    /** Whether the current archive has bytes left; waits for them. */
    private boolean more() throws IOException {
      while (!piece.hasRemaining()) {
        if (over || nextTablespace != null || !inArchive) {
          return false;
        }
        advance();
      }
      return true;
    }

    /** Takes the next message: data, the next archive, or the end. */
    private void advance() throws IOException {
      try {
        if (!connection.nextCopyData()) {
          over = true;
          return;
        }
        ByteBuffer data = connection.copyData();
        if (!data.hasRemaining()) {
          throw new EOFException("the server sent an empty message in a base backup");
        }
        int kind = data.get();
        switch (kind) {
          case 'd' -> {
            piece = data;
            copiedBytes.addAndGet(data.remaining());
          }
          case 'n' -> {
            String archive = MessageChannel.cString(data);
            nextTablespace = archive.equals("base.tar") ? "" : oid(archive);
          }
          case 'p' -> {}
          default ->
              throw new ProtocolException("the server sent message " + kind + " in a base backup");
        }
      } catch (IOException e) {
        throw new ArchiveException(e);
      }
    }

    private static String oid(String archive) throws IOException {
      String oid = archive.endsWith(".tar") ? archive.substring(0, archive.length() - 4) : archive;
      if (oid.isEmpty() || !oid.chars().allMatch(Character::isDigit)) {
        throw new ProtocolException("the server sent an archive named " + archive);
      }
      return oid;
    }
  }
}
