package dev.varve.cli;

import dev.varve.engine.check.CheckProgress;
import dev.varve.engine.check.Finding;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** How the result of {@code fsck} is printed: each finding as it is made, then the sum. */
interface FsckReport {
  void begin(String store, boolean deep) throws IOException;

  void finding(Finding finding) throws IOException;

  /**
   * The end.
   *
   * @param error why the check did not get to its end; null when it did
   */
  void end(CheckProgress progress, @Nullable String error) throws IOException;
}
