package dev.varve.cli;

import io.quarkus.picocli.runtime.annotations.TopCommand;
import org.eclipse.microprofile.config.ConfigProvider;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;

/** The program; it does nothing without a command. */
@TopCommand
@Command(
    name = "varve",
    description = "Administers the storage of Varve.",
    mixinStandardHelpOptions = true,
    versionProvider = VarveCommand.Version.class,
    subcommands = FsckCommand.class)
final class VarveCommand {
  /** The version of the build. */
  static final class Version implements IVersionProvider {
    @Override
    public String[] getVersion() {
      return new String[] {
        "varve " + ConfigProvider.getConfig().getValue("quarkus.application.version", String.class)
      };
    }
  }
}
