package dev.varve.compute.mount;

import dev.varve.compute.fuse.FuseException;
import dev.varve.compute.fuse.FuseMount;
import dev.varve.compute.fuse.FuseOptions;
import dev.varve.compute.fuse.FuseSession;
import dev.varve.compute.page.PageSource;
import dev.varve.compute.page.Waiter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * One tablespace, {@code pg_tblspc} with all that are in place there, or a directory of SLRUs,
 * mounted. {@link #prepare} asks for what can be asked for before the image's files are there,
 * {@link Prepared#mount} mounts, {@link #unmount} unmounts and saves the overlay's state; without
 * the latter the overlay is lost. Whoever mounts must not unmount below a running PostgreSQL: the
 * kernel refuses, and the mount stays.
 */
public final class PageMount {
  /** Lists that are asked for at a time. */
  private static final int LISTERS = 4;

  /** Databases whose lists are asked for before they are needed; a cluster may have thousands. */
  private static final int LISTED_AHEAD = 32;

  private final MountTree tree;
  private final Path stateFile;
  private final FuseSession session;
  private final Path directory;
  private final DirectoryListing listing;
  private final NodeEviction eviction;

  private PageMount(
      MountTree tree,
      DirectoryListing listing,
      NodeEviction eviction,
      Path stateFile,
      FuseSession session,
      Path directory) {
    this.tree = tree;
    this.listing = listing;
    this.eviction = eviction;
    this.stateFile = stateFile;
    this.session = session;
    this.directory = directory;
  }

  /**
   * What to mount.
   *
   * @param tablespace oid, 1663 for {@code base}, 0 for {@code pg_tblspc} and for SLRUs
   * @param directory existing directory to mount on, absolute
   * @param overlay directory of local content, on a disk with room for all changes
   * @param stateFile where a clean unmount leaves the tree, and the next open takes it
   * @param databases what the image has in it
   * @param slrus what the source has in it beside them
   * @param user owner of everything in the mount
   * @param mostNodes files that take memory at a time; 0: as many as its part of the heap holds
   */
  public record Plan(
      int tablespace,
      Path directory,
      Path overlay,
      Path stateFile,
      List<DatabaseDirectory> databases,
      List<SlruSegments> slrus,
      int user,
      int group,
      FuseOptions options,
      int mostNodes) {}

  /**
   * Begins to ask for the lists of the databases; nothing is mounted yet, and the plan's
   * directories may be missing until {@link Prepared#mount}.
   *
   * @param resume take the tree that the last clean unmount left, instead of the image's
   */
  public static Prepared prepare(
      Plan plan, PageSource source, MountCounters counters, SourceLog log, boolean resume)
      throws IOException {
    MountTree tree =
        new MountTree(plan.tablespace(), plan.overlay(), new PageFetcher(source, counters, log));
    if (resume) {
      OverlayState.load(tree, plan.stateFile());
    } else {
      for (DatabaseDirectory database : plan.databases()) {
        var _ = directory(tree, database.path(), database.database());
      }
    }
    for (SlruSegments slru : plan.slrus()) {
      Node.Directory directory =
          slru.path().isEmpty() ? tree.root() : directory(tree, slru.path(), 0);
      directory.slru = slru;
    }
    Prepared prepared = new Prepared(plan, resume, tree);
    prepared.listAhead();
    return prepared;
  }

  /** A tablespace that is yet to be mounted. */
  public static final class Prepared {
    private final Plan plan;
    private final boolean resume;
    private final MountTree tree;
    private final DirectoryListing listing;

    /** In the order in which PostgreSQL is likely to need their lists. */
    private final List<Node.Directory> databases;

    private Prepared(Plan plan, boolean resume, MountTree tree) {
      this.plan = plan;
      this.resume = resume;
      this.tree = tree;
      this.listing = new DirectoryListing(tree, ListingCache.SHARED);
      this.databases = FirstReads.inOrder(tree.databases());
    }

    /** Mounts; the image's files are where they belong by now. Called once. */
    public PageMount mount() throws IOException {
      Files.createDirectories(plan.overlay());
      if (!resume) {
        listing.adopt();
      }
      NodeEviction eviction = new NodeEviction(tree, plan.mostNodes());
      FuseMount mount = FuseMount.open(plan.directory(), "varve");
      try {
        FuseSession session =
            FuseSession.start(
                mount,
                new TablespaceFileSystem(tree, listing, eviction, plan.user(), plan.group()),
                plan.options(),
                Integer.toUnsignedString(plan.tablespace()));
        // From here on a death of this process must be seen as one.
        Files.deleteIfExists(plan.stateFile());
        eviction.begin(session);
        fetchAhead();
        return new PageMount(tree, listing, eviction, plan.stateFile(), session, plan.directory());
      } catch (IOException e) {
        FuseMount.abandon(mount);
        throw e;
      }
    }

    /**
     * PostgreSQL reads every database's directory before it does anything else, looking for
     * temporary files: ask for the lists before it does, several at a time.
     */
    private void listAhead() {
      AtomicInteger next = new AtomicInteger();
      int end = Math.min(LISTED_AHEAD, databases.size());
      for (int lister = 0; lister < Math.min(LISTERS, end); lister++) {
        Thread.ofVirtual()
            .name("list-ahead")
            .start(() -> {
              try {
                for (int i = next.getAndIncrement(); i < end; i = next.getAndIncrement()) {
                  var _ = listing.held(databases.get(i), Waiter.PATIENT);
                }
              } catch (FuseException e) {
                return; // logged; whoever needs the directory asks again
              }
            });
      }
    }

    /** What PostgreSQL's first backends read is fetched once the database's list is there. */
    private void fetchAhead() {
      Thread.ofVirtual()
          .name("fetch-first")
          .start(() -> {
            try {
              for (Node.Directory database : FirstReads.chosen(databases)) {
                FirstReads.fetch(listing, database);
              }
            } catch (FuseException e) {
              return; // likewise
            }
          });
    }
  }

  /** The directory of a path, which is made where there is none. */
  private static Node.Directory directory(MountTree tree, String path, int database) {
    Node.Directory at = tree.root();
    String[] steps = path.split("/", -1);
    for (int i = 0; i < steps.length; i++) {
      boolean last = i == steps.length - 1;
      Node there = at.children.get(steps[i]);
      at =
          there instanceof Node.Directory known
              ? known
              : tree.addDirectory(at, steps[i], MountTree.DIRECTORY_MODE, last ? database : 0);
    }
    return at;
  }

  public Path directory() {
    return directory;
  }

  /** Files and directories that take memory. */
  int nodes() {
    return tree.size();
  }

  /**
   * A thread of the mount ended though it was not unmounted: requests may hang, so PostgreSQL must
   * be stopped.
   */
  public boolean hasFailed() {
    return session.hasFailed();
  }

  /** From now on no request waits for the source for more than seconds: the end is near. */
  public void end() {
    tree.fetcher().end();
  }

  /**
   * Unmounts after the kernel wrote everything back, and saves the state for a later {@link
   * #prepare} with {@code resume}.
   */
  public void unmount() throws IOException {
    session.unmount();
    eviction.end();
    listing.close();
    OverlayState.save(tree, stateFile);
  }

  /**
   * Takes the mount away, used or not; its content is lost. Close the source first, so that no
   * thread waits for pages.
   */
  public void discard() throws IOException {
    eviction.end();
    listing.close();
    session.discard();
  }
}
