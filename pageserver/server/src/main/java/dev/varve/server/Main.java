package dev.varve.server;

import io.quarkus.runtime.Quarkus;
import io.quarkus.runtime.annotations.QuarkusMain;
import java.util.List;

/** Without arguments the pageserver; with some, {@link ProbeCommand}. */
@QuarkusMain
public final class Main {
  private Main() {}

  public static void main(String... args) {
    if (args.length > 0 && args[0].equals(ProbeCommand.NAME)) {
      System.exit(ProbeCommand.run(List.of(args).subList(1, args.length), System.out));
    }
    Quarkus.run(args);
  }
}
