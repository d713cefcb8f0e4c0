package dev.varve.engine.store;

import java.io.UncheckedIOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.util.concurrent.ExecutionException;
import org.jspecify.annotations.Nullable;

/**
 * What a failure says, in words. The message of many of the JDK's file system exceptions is a path
 * and nothing else; others have none.
 */
public final class FailureText {
  private FailureText() {}

  /** What failed and why, for a message to people. */
  public static String of(Throwable e) {
    @Nullable Throwable cause = e.getCause();
    if (cause != null && (e instanceof UncheckedIOException || e instanceof ExecutionException)) {
      return of(cause);
    }
    String reason =
        switch (e) {
          case NoSuchFileException _ -> "no such file or directory";
          case AccessDeniedException _ -> "permission denied";
          case FileAlreadyExistsException _ -> "exists already";
          case DirectoryNotEmptyException _ -> "directory not empty";
          case NotDirectoryException _ -> "not a directory";
          case FileSystemException f when f.getReason() == null -> "refused by the file system";
          default -> "";
        };
    if (!reason.isEmpty()) {
      return e.getMessage() + ": " + reason;
    }
    @Nullable String message = e.getMessage();
    return message == null || message.isBlank() ? e.getClass().getSimpleName() : message;
  }
}
