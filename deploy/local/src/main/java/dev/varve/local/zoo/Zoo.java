package dev.varve.local.zoo;

import dev.varve.testkit.FreePort;
import dev.varve.testkit.PageserverProcess;
import dev.varve.testkit.PostgresServer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.jspecify.annotations.Nullable;

/** The command {@code deploy/local/zoo}. */
public final class Zoo {
  private static final String USAGE =
      """
      usage: deploy/local/zoo [options]

      Builds clusters of many shapes, attaches each to a pageserver, starts stock PostgreSQL on the mount and eagerly, and compares both
      with the original. Prints what differs, and a table. Ends with 1 when anything differs.

        --majors N,…    of PostgreSQL: 15, 16, 17, 18 (default: 17)
        --only NAME,…   these animals; a name that ends in * stands for all that begin so
        --list          what there is, without running anything
        --parallel N    animals at a time (default 2)
        --directory D   where files go (default: a temporary directory, removed at the end)
        --keep          leave the files, data directories included
        --docs          write the table into docs/fidelity.md; with --only, those animals' lines of it
      """;

  private final Path root;
  private final Path home;
  private final boolean keep;
  private int pageservers;
  private @Nullable PageserverProcess pageserver;

  private Zoo(Path root, Path home, boolean keep) {
    this.root = root;
    this.home = home;
    this.keep = keep;
  }

  /** All animals, in the order of the table. */
  static List<Animal> animals() {
    List<Animal> animals = new ArrayList<>();
    animals.addAll(InitdbAnimals.all());
    animals.addAll(FileAnimals.all());
    animals.addAll(NameAnimals.all());
    animals.addAll(DatabaseAnimals.all());
    animals.addAll(ExtensionAnimals.all());
    animals.addAll(SettingAnimals.all());
    animals.addAll(ServerAnimals.all());
    animals.addAll(RecoveryAnimals.all());
    animals.addAll(ProgramAnimals.all());
    animals.addAll(IdAnimals.all());
    animals.addAll(ObjectAnimals.all());
    animals.addAll(ValueAnimals.all());
    animals.addAll(ReplicationAnimals.all());
    return animals;
  }

  /** The animals of these names. */
  static List<Animal> animals(List<String> names) {
    List<Animal> found = new ArrayList<>();
    for (String name : names) {
      List<Animal> some =
          animals().stream()
              .filter(animal ->
                  name.endsWith("*")
                      ? animal.name().startsWith(name.substring(0, name.length() - 1))
                      : animal.name().equals(name))
              .toList();
      if (some.isEmpty()) {
        throw new IllegalArgumentException("there is no animal " + name);
      }
      found.addAll(some);
    }
    return found;
  }

  /** Visits the animals on each major that they live on, and prints what it finds as it goes. */
  static List<Visit> visit(
      Path root, Path home, List<Animal> animals, List<Integer> majors, int parallel, boolean keep)
      throws InterruptedException, ExecutionException {
    Zoo zoo = new Zoo(root, home, keep);
    List<Future<Visit>> begun = new ArrayList<>();
    List<Visit> visits = new ArrayList<>();
    ExecutorService keepers = Executors.newFixedThreadPool(parallel);
    try {
      for (int major : majors) {
        for (Animal animal : animals) {
          if (animal.livesOn(major)) {
            begun.add(keepers.submit(() -> zoo.visit(animal, major)));
          }
        }
      }
      for (Future<Visit> visit : begun) {
        visits.add(visit.get());
      }
    } finally {
      keepers.shutdownNow();
      keepers.close();
      zoo.close();
    }
    return visits;
  }

  private Visit visit(Animal animal, int major) throws IOException, InterruptedException {
    long start = System.nanoTime();
    Path directory = home.resolve(animal.name() + "-" + major);
    Files.createDirectories(directory);
    PostgresServer.own(directory);
    Visit visit = new Keeper(root, directory, pageserver(), animal, major).run();
    if (!keep) {
      PostgresServer.deleteTree(directory);
    }
    synchronized (System.out) {
      System.out.printf(
          Locale.ROOT,
          "%s on %d: %s (%.1f s)%n",
          animal.name(),
          major,
          visit.isEqual() ? "equal" : "DIFFERS",
          (System.nanoTime() - start) / 1e9);
      visit.report().forEach(line -> System.out.println("  " + line));
    }
    return visit;
  }

  /** The one that runs; another when it has ended. */
  private synchronized PageserverProcess pageserver() throws IOException, InterruptedException {
    PageserverProcess running = pageserver;
    if (running == null || !running.process().isRunning()) {
      pageservers++;
      running =
          PageserverProcess.start(
              root,
              "directory:" + home.resolve("objects-" + pageservers),
              home.resolve("pageserver-" + pageservers),
              home.resolve("pageserver-" + pageservers + ".log"),
              new PageserverProcess.Place(FreePort.reserved(), FreePort.reserved(), ""),
              Map.of());
      pageserver = running;
    }
    return running;
  }

  private synchronized void close() throws InterruptedException {
    if (pageserver != null) {
      pageserver.stop();
    }
  }

  public static void main(String[] arguments) throws Exception {
    List<Integer> majors = List.of(17);
    List<Animal> animals = animals();
    int parallel = 2;
    Path directory = null;
    boolean keep = false;
    boolean docs = false;
    try {
      for (int i = 0; i < arguments.length; i++) {
        switch (arguments[i]) {
          case "--majors" ->
              majors = Arrays.stream(value(arguments, ++i)).map(Integer::valueOf).toList();
          case "--only" -> animals = animals(List.of(value(arguments, ++i)));
          case "--parallel" -> parallel = Integer.parseInt(value(arguments, ++i)[0]);
          case "--directory" -> directory = Path.of(value(arguments, ++i)[0]);
          case "--keep" -> keep = true;
          case "--docs" -> docs = true;
          case "--help" -> {
            System.out.print(USAGE);
            return;
          }
          case "--list" -> {
            animals.forEach(
                animal -> System.out.printf("%-28s %s%n", animal.name(), animal.description()));
            return;
          }
          default -> throw new IllegalArgumentException("unknown option " + arguments[i]);
        }
      }
    } catch (IllegalArgumentException e) {
      System.err.println(e.getMessage());
      System.err.println();
      System.err.print(USAGE);
      System.exit(2);
      return;
    }
    Path root = Path.of(System.getProperty("varve.root", ".")).toAbsolutePath().normalize();
    Path home = directory == null ? PostgresServer.temporaryDirectory() : directory;
    Files.createDirectories(home);
    List<Visit> visits = visit(root, home, animals, majors, parallel, keep);
    System.out.println();
    System.out.print(ZooTable.render(animals, visits, Map.of()));
    if (docs) {
      ZooTable.write(root.resolve("docs/fidelity.md"), visits);
    }
    if (!keep && directory == null) {
      PostgresServer.deleteTree(home);
    }
    System.exit(visits.stream().allMatch(Visit::isEqual) ? 0 : 1);
  }

  private static String[] value(String[] arguments, int at) {
    if (at >= arguments.length) {
      throw new IllegalArgumentException(arguments[at - 1] + " wants a value");
    }
    return arguments[at].split(",", -1);
  }
}
