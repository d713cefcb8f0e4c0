package dev.varve.compute.mount;

import dev.varve.compute.fuse.Errno;
import dev.varve.compute.fuse.FuseException;
import dev.varve.compute.fuse.FuseSession;
import java.io.IOException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.jspecify.annotations.Nullable;

/**
 * Bounds the nodes of a mount. All mounts of the process share a part of its heap evenly; one that
 * has more nodes asks the kernel to forget files that are not open, those that were not looked up
 * lately first. A relation's file that the kernel forgot is then nothing but what the source has,
 * or it is <em>parked</em>: its state goes to a file beside its local content, until it is looked
 * up again. Thread-safe.
 */
final class NodeEviction {
  private static final Logger LOG = Logger.getLogger(NodeEviction.class.getName());

  /** What a node takes, with room to spare. */
  private static final int NODE_BYTES = 1024;

  private static final int LEAST = 512;
  private static final int ALL = (int) (Runtime.getRuntime().maxMemory() / 4 / NODE_BYTES);
  private static final AtomicInteger MOUNTS = new AtomicInteger();

  private final MountTree tree;
  private final int most;
  private final AtomicBoolean running = new AtomicBoolean();
  private volatile @Nullable FuseSession session;

  /** Nodes that the last eviction left: those of open files stay. */
  private volatile int left;

  /**
   * @param most nodes before any are evicted; 0: this mount's part of the heap
   */
  NodeEviction(MountTree tree, int most) {
    this.tree = tree;
    this.most = most;
  }

  /** From here on the kernel may hold nodes. */
  void begin(FuseSession serving) {
    session = serving;
    if (most == 0) {
      MOUNTS.incrementAndGet();
    }
  }

  void end() {
    if (session != null) {
      session = null;
      if (most == 0) {
        MOUNTS.decrementAndGet();
      }
    }
  }

  private int most() {
    return most > 0 ? most : Math.max(LEAST, ALL / Math.max(1, MOUNTS.get()));
  }

  /** Called when there is one node more. */
  void added() {
    int bound = most();
    if (tree.size() > Math.max(bound, left + bound / 8) && running.compareAndSet(false, true)) {
      Thread.ofPlatform() // the kernel keeps it while it writes back
          .daemon()
          .name("evict-nodes")
          .start(() -> {
            try {
              evict();
            } catch (FuseException e) {
              LOG.severe("nodes of " + tree.overlay() + " cannot be evicted: " + e.getMessage());
            } finally {
              left = tree.size();
              running.set(false);
            }
          });
    }
  }

  /** In two rounds: who was looked up since the last one stays in the first. */
  private void evict() throws FuseException {
    int enough = most() * 3 / 4;
    for (int round = 0; round < 2; round++) {
      for (Node node : tree.nodes()) {
        if (tree.size() <= enough) {
          return;
        }
        if (node instanceof Node.File file && mayGo(file)) {
          forget(file);
        }
      }
    }
  }

  private boolean mayGo(Node.File file) {
    tree.lock().lock();
    try {
      if (file.used) {
        file.used = false;
        return false;
      }
      return !file.unlinked && file.parent.key(file.name) != 0 && file.content.isIdle();
    } finally {
      tree.lock().unlock();
    }
  }

  private void forget(Node.File file) throws FuseException {
    FuseSession kernel = session;
    if (kernel != null) {
      kernel.forget(file.parent.id, file.name); // comes back as a request of the kernel
    }
    release(file);
  }

  /**
   * Called when the kernel may hold a node no more: lets it go if nobody does, and it is not needed
   * or there are too many.
   */
  void release(Node.File file) throws FuseException {
    tree.lock().lock();
    try {
      if (file.lookups > 0
          || file.unlinked
          || file.parent.key(file.name) == 0
          || file.mode != MountTree.FILE_MODE
          || !file.content.isIdle()
          || file.parent.children.get(file.name) != file) {
        return;
      }
      long key = file.parent.key(file.name);
      if (file.parent.removed.contains(key) || !file.content.asListed(file.parent, file.name)) {
        if (tree.size() <= most() * 3 / 4) {
          return;
        }
        OverlayState.park(tree, file);
        file.parent.parked.add(key);
      }
      file.parent.children.remove(file.name);
      tree.remove(file);
    } catch (IOException e) {
      LOG.log(Level.SEVERE, "the state of " + file.name + " cannot be put away", e);
      throw new FuseException(Errno.EIO);
    } finally {
      tree.lock().unlock();
    }
  }
}
