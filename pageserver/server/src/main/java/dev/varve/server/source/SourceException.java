package dev.varve.server.source;

import dev.varve.engine.PageserverException;
import org.jspecify.annotations.Nullable;

/**
 * The primary cannot be followed, and why. The message says what was found and what to do about it;
 * {@link #kind} what kind of failure it is. None of them ends a timeline: all are tried again,
 * since all but a diverged cluster can be mended at the primary.
 */
public final class SourceException extends Exception {
  private static final long serialVersionUID = 1L;

  /** Kinds of failures of a primary. */
  public enum Kind {
    /** No answer, not yet up, or the connection broke: it may come back by itself. */
    UNREACHABLE,
    /** Wrong credentials, no pg_hba.conf line, missing privilege, TLS refused. */
    REFUSED,
    /** A server that cannot be a source: version, {@code wal_level}, block size, settings. */
    UNFIT,
    /** Not the cluster, or not the PostgreSQL timeline (TLI), that this timeline is a copy of. */
    OTHER_CLUSTER,
    /** Somebody else receives from the replication slot. */
    SLOT_IN_USE,
    /** The replication slot is missing or was invalidated. */
    SLOT_LOST,
    /** The WAL that is wanted next was removed. */
    WAL_GONE
  }

  private final Kind kind;
  private final transient @Nullable SourceRoom room;

  public SourceException(Kind kind, String message, @Nullable Throwable cause) {
    this(kind, message, null, cause);
  }

  /** {@code room}: what the primary has, when that is all taken. */
  SourceException(Kind kind, String message, @Nullable SourceRoom room, @Nullable Throwable cause) {
    super(message, cause);
    this.kind = kind;
    this.room = room;
  }

  public SourceException(Kind kind, String message) {
    this(kind, message, null);
  }

  public Kind kind() {
    return kind;
  }

  /** Null unless the primary has no slot or WAL sender left and says how many it has. */
  public @Nullable SourceRoom room() {
    return room;
  }

  /** What a caller that named this primary is answered. */
  public PageserverException toPageserverException() {
    return switch (kind) {
      case UNREACHABLE, SLOT_IN_USE -> new PageserverException.Unavailable(messageText(), this);
      case REFUSED, UNFIT, OTHER_CLUSTER, SLOT_LOST, WAL_GONE ->
          new PageserverException.InvalidRequest(messageText());
    };
  }

  private String messageText() {
    String message = getMessage();
    return message == null ? kind.name() : message;
  }
}
