package dev.varve.cli;

import dev.varve.engine.PageserverException;
import dev.varve.engine.check.CheckListener;
import dev.varve.engine.check.CheckOptions;
import dev.varve.engine.check.CheckProgress;
import dev.varve.engine.check.Finding;
import dev.varve.engine.check.StoreCheck;
import dev.varve.engine.store.FailureText;
import jakarta.inject.Inject;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.time.InstantSource;
import java.util.concurrent.Callable;
import java.util.concurrent.ThreadLocalRandom;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;

/**
 * {@code fsck}: checks what an object store holds against its manifests. It only reads, beside
 * running pageservers too.
 */
@Command(
    name = "fsck",
    description = "Checks what an object store holds against its manifests. It only reads.",
    mixinStandardHelpOptions = true,
    showDefaultValues = true,
    exitCodeOnExecutionException = FsckCommand.NOT_CHECKED,
    exitCodeListHeading = "Exit codes:%n",
    exitCodeList = {
      "0:all is as it has to be",
      "1:something was found",
      "2:not all could be checked, or the call is wrong"
    })
final class FsckCommand implements Callable<Integer> {
  static final int CLEAN = 0;
  static final int FOUND = 1;
  static final int NOT_CHECKED = 2;
  private static final long PROGRESS_NANOS = Duration.ofSeconds(2).toNanos();

  /** As in a pageserver's settings: {@code 90s}, {@code 10m}, {@code 1h}. */
  static final class DurationConverter implements ITypeConverter<Duration> {
    @Override
    public Duration convert(String text) {
      try {
        return io.quarkus.runtime.configuration.DurationConverter.parseDuration(text);
      } catch (IllegalArgumentException e) {
        throw new TypeConversionException("'" + text + "' is no duration such as 90s, 10m or 1h");
      }
    }
  }

  /** Forms of the result. */
  enum Output {
    text,
    json
  }

  @Spec @Nullable CommandSpec spec;

  @Inject @Nullable StoreConfig config;

  @ConfigProperty(name = "varve.store", defaultValue = "directory:varve-data/objects")
  String configuredStore = "";

  @Option(
      names = "--store",
      paramLabel = "STORE",
      description = "directory:PATH or s3://BUCKET/PREFIX; otherwise that of varve.store")
  @Nullable String store;

  @Option(names = "--tenant", paramLabel = "TENANT", description = "this one alone")
  @Nullable String tenant;

  @Option(
      names = "--timeline",
      paramLabel = "TIMELINE",
      description = "those with this id or name alone")
  @Nullable String timeline;

  @Option(names = "--deep", description = "read all of each layer, not its index alone")
  boolean deep;

  @Option(
      names = "--sample",
      paramLabel = "N",
      defaultValue = "100",
      description = "with --deep: pages of each timeline to redo, each at some LSN")
  int sample;

  @Option(
      names = "--grace",
      paramLabel = "DURATION",
      defaultValue = "1h",
      converter = DurationConverter.class,
      description = "what is younger is not orphaned: a pageserver may be about to list it")
  Duration grace = Duration.ZERO;

  @Option(
      names = "--concurrency",
      paramLabel = "N",
      defaultValue = "8",
      description = "layers to read at once")
  int concurrency;

  @Option(
      names = "--output",
      paramLabel = "FORM",
      defaultValue = "text",
      description = "${COMPLETION-CANDIDATES}")
  Output output = Output.text;

  @Option(
      names = {"-q", "--quiet"},
      description = "no progress on standard error")
  boolean quiet;

  @Override
  public Integer call() throws IOException {
    PrintWriter out = spec().commandLine().getOut();
    PrintWriter err = spec().commandLine().getErr();
    String location = store == null ? configuredStore : store;
    CheckOptions options = options();
    FsckReport report = output == Output.json ? new JsonReport(out) : new TextReport(out);
    report.begin(location, deep);
    Listener listener = new Listener(report, err);
    String error = null;
    CheckProgress progress = new CheckProgress();
    try (OpenedStore opened = OpenedStore.open(location, config())) {
      StoreCheck check =
          new StoreCheck(
              opened.store(),
              options,
              listener,
              InstantSource.system(),
              ThreadLocalRandom.current().nextLong());
      progress = check.progress();
      check.run();
    } catch (IOException
        | UncheckedIOException
        | PageserverException
        | IllegalArgumentException e) {
      error = location + " could not be checked: " + FailureText.of(e);
    }
    report.end(progress, error);
    if (error != null) {
      err.println(error);
      err.flush();
      return NOT_CHECKED;
    }
    return progress.findings() > 0 ? FOUND : CLEAN;
  }

  private CommandSpec spec() {
    if (spec == null) {
      throw new IllegalStateException("no command line has been parsed");
    }
    return spec;
  }

  private StoreConfig config() {
    if (config == null) {
      throw new IllegalStateException("no configuration");
    }
    return config;
  }

  private CheckOptions options() {
    try {
      return new CheckOptions(tenant, timeline, deep, sample, grace, concurrency);
    } catch (IllegalArgumentException e) {
      throw new ParameterException(spec().commandLine(), String.valueOf(e.getMessage()), e);
    }
  }

  /** Prints findings at once, and now and then how far the check is. */
  private final class Listener implements CheckListener {
    private final FsckReport report;
    private final PrintWriter err;
    private long toldNanos = System.nanoTime();

    Listener(FsckReport report, PrintWriter err) {
      this.report = report;
      this.err = err;
    }

    @Override
    public void found(Finding finding) {
      try {
        report.finding(finding);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }

    @Override
    public void progressed(CheckProgress progress) {
      long now = System.nanoTime();
      if (!quiet && now - toldNanos >= PROGRESS_NANOS) {
        toldNanos = now;
        err.println(TextReport.text(progress));
        err.flush();
      }
    }
  }
}
