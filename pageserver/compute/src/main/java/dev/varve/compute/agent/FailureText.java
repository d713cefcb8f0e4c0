package dev.varve.compute.agent;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;

/** A failure in words: the message of a file's failure alone is often no more than its path. */
public final class FailureText {
  private FailureText() {}

  public static String of(Throwable failure) {
    String message = failure.getMessage();
    return switch (failure) {
      case NoSuchFileException e -> "there is no file " + e.getFile();
      case AccessDeniedException e -> "permission denied for " + e.getFile();
      case FileAlreadyExistsException e -> e.getFile() + " exists already";
      case DirectoryNotEmptyException e -> "the directory " + e.getFile() + " is not empty";
      case NotDirectoryException e -> e.getFile() + " is no directory";
      case FileSystemException e when e.getReason() == null -> "an error of the file " + message;
      case IOException e when message != null && !message.isBlank() -> message;
      default ->
          message == null || message.isBlank()
              ? failure.getClass().getSimpleName()
              : failure.getClass().getSimpleName() + ": " + message;
    };
  }
}
