package dev.varve.compute.agent;

import dev.varve.compute.fuse.FuseOptions;
import dev.varve.compute.image.ComputeDirectory;
import dev.varve.compute.settings.Allowance;
import java.util.Set;

/**
 * What a volume is to be.
 *
 * @param timeline its name
 * @param lsn of the image, 0 for the newest; only the first start uses it
 * @param eager copy every page instead of mounting
 * @param user owner of everything, who will run PostgreSQL
 * @param chown whether this process may and must give files to {@code user}
 * @param allowed what a copy does not do otherwise
 */
public record VolumeOptions(
    ComputeDirectory directory,
    String timeline,
    long lsn,
    boolean eager,
    int user,
    int group,
    boolean chown,
    FuseOptions fuse,
    Set<Allowance> allowed) {}
