package dev.varve.server;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What leaves a thread, in a program of its own. */
final class UncaughtHandlerTest {
  /** A program whose thread ends with what the argument names, and which would go on for ever. */
  static final class Program {
    private Program() {}

    public static void main(String[] arguments) throws InterruptedException {
      Thread.setDefaultUncaughtExceptionHandler(new UncaughtHandler());
      Thread.ofVirtual()
          .name("doomed")
          .start(() -> {
            if (arguments[0].equals("error")) {
              throw new NoClassDefFoundError("injected");
            }
            throw new IllegalStateException("injected");
          })
          .join();
      System.exit(0);
    }
  }

  @Test
  void anErrorEndsTheProgram() throws Exception {
    assertEquals(UncaughtHandler.EXIT_CODE, run("error"));
  }

  @Test
  void anExceptionEndsItsThreadOnly() throws Exception {
    assertEquals(0, run("exception"));
  }

  private static int run(String argument) throws Exception {
    Process process =
        new ProcessBuilder(
                List.of(
                    Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                    "-cp",
                    System.getProperty("java.class.path"),
                    Program.class.getName(),
                    argument))
            .inheritIO()
            .start();
    return process.waitFor();
  }
}
