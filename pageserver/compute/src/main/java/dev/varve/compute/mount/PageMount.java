package dev.varve.compute.mount;

import dev.varve.compute.fuse.FuseException;
import dev.varve.compute.fuse.FuseMount;
import dev.varve.compute.fuse.FuseOptions;
import dev.varve.compute.fuse.FuseSession;
import dev.varve.compute.page.PageSource;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * One tablespace, mounted. {@link #open} mounts, {@link #unmount} unmounts and saves the overlay's
 * state; without the latter the overlay is lost. Whoever opens a mount must not unmount it below a
 * running PostgreSQL: the kernel refuses, and the mount stays.
 */
public final class PageMount {
  /** Lists that are asked for at a time. */
  private static final int LISTERS = 4;

  private final MountTree tree;
  private final Path stateFile;
  private final FuseSession session;
  private final Path directory;

  private PageMount(MountTree tree, Path stateFile, FuseSession session, Path directory) {
    this.tree = tree;
    this.stateFile = stateFile;
    this.session = session;
    this.directory = directory;
  }

  /**
   * What to mount.
   *
   * @param tablespace oid, 1663 for {@code base}
   * @param directory existing directory to mount on, absolute
   * @param overlay directory of local content, on a disk with room for all changes
   * @param stateFile where a clean unmount leaves the tree, and the next open takes it
   * @param databases what the image has in this tablespace
   * @param user owner of everything in the mount
   */
  public record Plan(
      int tablespace,
      Path directory,
      Path overlay,
      Path stateFile,
      List<DatabaseDirectory> databases,
      int user,
      int group,
      FuseOptions options) {}

  /**
   * Mounts.
   *
   * @param resume take the tree that the last clean unmount left, instead of the image's
   */
  public static PageMount open(Plan plan, PageSource source, MountCounters counters, boolean resume)
      throws IOException {
    Files.createDirectories(plan.overlay());
    MountTree tree =
        new MountTree(plan.tablespace(), plan.overlay(), new PageFetcher(source, counters));
    DirectoryListing listing = new DirectoryListing(tree);
    if (resume) {
      OverlayState.load(tree, plan.stateFile());
    } else {
      for (DatabaseDirectory database : plan.databases()) {
        addDatabase(tree, database);
      }
      listing.adopt(tree.root());
    }
    FuseMount mount = FuseMount.open(plan.directory(), "varve");
    try {
      FuseSession session =
          FuseSession.start(
              mount,
              new TablespaceFileSystem(tree, listing, plan.user(), plan.group()),
              plan.options(),
              Integer.toUnsignedString(plan.tablespace()));
      // From here on a death of this process must be seen as one.
      Files.deleteIfExists(plan.stateFile());
      listAhead(tree, listing);
      return new PageMount(tree, plan.stateFile(), session, plan.directory());
    } catch (IOException e) {
      FuseMount.abandon(mount);
      throw e;
    }
  }

  private static void addDatabase(MountTree tree, DatabaseDirectory database) {
    Node.Directory at = tree.root();
    String[] steps = database.path().split("/", -1);
    for (int i = 0; i < steps.length; i++) {
      boolean last = i == steps.length - 1;
      Node there = at.children.get(steps[i]);
      at =
          there instanceof Node.Directory known
              ? known
              : tree.addDirectory(
                  at, steps[i], MountTree.DIRECTORY_MODE, last ? database.database() : 0);
    }
  }

  /**
   * PostgreSQL reads every database's directory before it does anything else, looking for temporary
   * files: ask for the lists before it does, several at a time. What its first backend reads is
   * fetched behind its database's list.
   */
  private static void listAhead(MountTree tree, DirectoryListing listing) {
    List<Node.Directory> directories = FirstReads.inOrder(tree.unlisted());
    AtomicInteger next = new AtomicInteger();
    for (int lister = 0; lister < Math.min(LISTERS, directories.size()); lister++) {
      Thread.ofVirtual()
          .name("list-ahead")
          .start(() -> {
            try {
              for (int i = next.getAndIncrement();
                  i < directories.size();
                  i = next.getAndIncrement()) {
                listing.await(directories.get(i));
                FirstReads.fetch(tree, directories.get(i), i);
              }
            } catch (FuseException e) {
              return; // logged; whoever needs the directory asks again
            }
          });
    }
  }

  public Path directory() {
    return directory;
  }

  /**
   * A thread of the mount ended though it was not unmounted: requests may hang, so PostgreSQL must
   * be stopped.
   */
  public boolean troubled() {
    return session.troubled();
  }

  /**
   * Unmounts after the kernel wrote everything back, and saves the state for a later {@link #open}
   * with {@code resume}.
   */
  public void unmount() throws IOException {
    session.unmount();
    OverlayState.save(tree, stateFile);
  }

  /**
   * Takes the mount away, used or not; its content is lost. Close the source first, so that no
   * thread waits for pages.
   */
  public void discard() throws IOException {
    session.discard();
  }
}
