package dev.varve.compute.mount;

import dev.varve.compute.fuse.Errno;
import dev.varve.compute.fuse.FuseAttributes;
import dev.varve.compute.fuse.FuseCaller;
import dev.varve.compute.fuse.FuseDirectoryStream;
import dev.varve.compute.fuse.FuseException;
import dev.varve.compute.fuse.FuseFileSystem;
import dev.varve.compute.fuse.FuseSpace;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;
import java.util.logging.Logger;
import org.jspecify.annotations.Nullable;

/**
 * The tree of one tablespace, or of {@code pg_tblspc}: database directories whose relation files
 * appear when the directory is first used, and everything that PostgreSQL makes itself.
 *
 * <p>{@code namespace} guards the tree; it is never held over a read from the source. Paths below
 * the overlay directory are those of the tree, so that a local file can be found by its name.
 */
final class TablespaceFileSystem implements FuseFileSystem {
  private static final Logger LOG = Logger.getLogger(TablespaceFileSystem.class.getName());

  /** PostgreSQL 17 src/include/catalog/pg_database.dat. */
  private static final int TEMPLATE1 = 1;

  private final MountTree tree;
  private final DirectoryListing listing;
  private final NodeEviction eviction;
  private final Path overlay;
  private final int user;
  private final int group;
  private final ReentrantLock namespace;
  private final ConcurrentHashMap<Long, ReadAhead> handles = new ConcurrentHashMap<>();
  private final AtomicLong nextHandle = new AtomicLong(1);

  TablespaceFileSystem(
      MountTree tree, DirectoryListing listing, NodeEviction eviction, int user, int group) {
    this.tree = tree;
    this.listing = listing;
    this.eviction = eviction;
    this.overlay = tree.overlay();
    this.namespace = tree.lock();
    this.user = user;
    this.group = group;
  }

  /**
   * The node of a name, of which the kernel holds nothing yet when this was asked for; found again
   * if it was dropped meanwhile.
   */
  @Override
  public FuseAttributes lookup(long parent, String name, FuseCaller caller) throws FuseException {
    Node.Directory directory = directory(parent);
    while (true) {
      Node child = listing.find(directory, name, caller::mustReturn);
      if (child == null) {
        throw new FuseException(Errno.ENOENT);
      }
      namespace.lock();
      try {
        if (directory.children.get(name) == child) {
          child.lookups++;
          eviction.added();
          return attributes(child);
        }
      } finally {
        namespace.unlock();
      }
    }
  }

  @Override
  public void forget(long id, long count) {
    namespace.lock();
    try {
      Node node = tree.get(id);
      if (node != null) {
        node.lookups -= count;
        if (node.lookups > 0) {
          return;
        }
        if (node.unlinked) {
          tree.remove(node);
        } else if (node instanceof Node.File file) {
          eviction.release(file);
        }
      }
    } catch (FuseException e) {
      // It stays; the log was told.
    } finally {
      namespace.unlock();
    }
  }

  @Override
  public FuseAttributes attributes(long id) throws FuseException {
    return attributes(node(id));
  }

  private FuseAttributes attributes(Node node) {
    return switch (node) {
      case Node.Directory directory ->
          new FuseAttributes(
              node.id,
              4096,
              FuseAttributes.TYPE_DIRECTORY | node.mode,
              2,
              user,
              group,
              directory.modifiedNanos);
      case Node.File file ->
          new FuseAttributes(
              node.id,
              file.content.size(),
              FuseAttributes.TYPE_FILE | node.mode,
              node.unlinked ? 0 : 1,
              user,
              group,
              file.modifiedNanos);
      case Node.Link link ->
          new FuseAttributes(
              node.id,
              link.target.getBytes(StandardCharsets.UTF_8).length,
              FuseAttributes.TYPE_LINK | node.mode,
              1,
              user,
              group,
              link.modifiedNanos);
    };
  }

  @Override
  public FuseAttributes truncate(long id, long size, FuseCaller caller) throws FuseException {
    Node.File file = file(id);
    if (size < 0) {
      throw new FuseException(Errno.EINVAL);
    }
    file.content.truncate(size, caller::mustReturn);
    file.modifiedNanos = MountTree.now();
    return attributes(file);
  }

  @Override
  public FuseAttributes changeMode(long id, int mode) throws FuseException {
    Node node = node(id);
    node.mode = mode;
    return attributes(node);
  }

  @Override
  public FuseAttributes makeDirectory(long parent, String name, int mode, FuseCaller caller)
      throws FuseException {
    Node.Directory directory = directory(parent);
    absent(directory, name, caller);
    namespace.lock();
    try {
      absent(directory, name);
      Files.createDirectories(path(directory).resolve(name));
      Node.Directory made = tree.addDirectory(directory, name, mode & 07777, 0);
      made.lookups++;
      return attributes(made);
    } catch (IOException e) {
      throw localFailure(e);
    } finally {
      namespace.unlock();
    }
  }

  @Override
  public FuseAttributes makeLink(long parent, String name, String target, FuseCaller caller)
      throws FuseException {
    Node.Directory directory = directory(parent);
    absent(directory, name, caller);
    namespace.lock();
    try {
      absent(directory, name);
      Node.Link made = tree.addLink(directory, name, target);
      made.lookups++;
      return attributes(made);
    } finally {
      namespace.unlock();
    }
  }

  @Override
  public String link(long id) throws FuseException {
    if (node(id) instanceof Node.Link link) {
      return link.target;
    }
    throw new FuseException(Errno.EINVAL);
  }

  @Override
  public void unlink(long parent, String name, FuseCaller caller) throws FuseException {
    Node.Directory directory = directory(parent);
    Node there = listing.find(directory, name, caller::mustReturn);
    if (there == null) {
      throw new FuseException(Errno.ENOENT);
    }
    namespace.lock();
    try {
      Node child = directory.children.get(name);
      if (child == null) {
        throw new FuseException(Errno.ENOENT);
      }
      switch (child) {
        case Node.File file -> drop(directory, file);
        case Node.Link link -> drop(directory, link);
        case Node.Directory _ -> throw new FuseException(Errno.EISDIR);
      }
    } catch (IOException e) {
      throw localFailure(e);
    } finally {
      namespace.unlock();
    }
  }

  private void drop(Node.Directory directory, Node.File file) throws IOException {
    file.content.unlink();
    leave(directory, file.name);
    directory.modifiedNanos = MountTree.now();
    file.unlinked = true;
    if (file.lookups <= 0) {
      tree.remove(file);
    }
  }

  private void drop(Node.Directory directory, Node.Link link) {
    directory.children.remove(link.name);
    directory.modifiedNanos = MountTree.now();
    link.unlinked = true;
    if (link.lookups <= 0) {
      tree.remove(link);
    }
  }

  /** A name is here no more, whatever the source has. */
  private static void leave(Node.Directory directory, String name) {
    directory.children.remove(name);
    long key = directory.key(name);
    if (key != 0) {
      directory.removed.add(key);
    }
  }

  @Override
  public void removeDirectory(long parent, String name, FuseCaller caller) throws FuseException {
    Node.Directory directory = directory(parent);
    Node child;
    namespace.lock();
    try {
      child = directory.children.get(name);
    } finally {
      namespace.unlock();
    }
    if (child == null) {
      throw new FuseException(Errno.ENOENT);
    }
    if (!(child instanceof Node.Directory victim)) {
      throw new FuseException(Errno.ENOTDIR);
    }
    if (!listing.isEmpty(victim, caller::mustReturn)) {
      throw new FuseException(Errno.ENOTEMPTY);
    }
    namespace.lock();
    try {
      if (!victim.children.isEmpty()) {
        throw new FuseException(Errno.ENOTEMPTY);
      }
      Files.deleteIfExists(path(victim));
      directory.children.remove(name);
      victim.unlinked = true;
      if (victim.lookups <= 0) {
        tree.remove(victim);
      }
    } catch (IOException e) {
      throw localFailure(e);
    } finally {
      namespace.unlock();
    }
  }

  @Override
  public void rename(
      long parent,
      String name,
      long newParent,
      String newName,
      boolean noReplace,
      FuseCaller caller)
      throws FuseException {
    Node.Directory from = directory(parent);
    Node.Directory to = directory(newParent);
    Node source = listing.find(from, name, caller::mustReturn);
    Node replaced = listing.find(to, newName, caller::mustReturn);
    if (source == null) {
      throw new FuseException(Errno.ENOENT);
    }
    if (replaced != null && noReplace) {
      throw new FuseException(Errno.EEXIST);
    }
    namespace.lock();
    try {
      Node child = from.children.get(name);
      if (child == null) {
        throw new FuseException(Errno.ENOENT);
      }
      if (!(child instanceof Node.File file)) {
        throw new FuseException(Errno.EOPNOTSUPP); // PostgreSQL renames no directory here
      }
      Node old = to.children.get(newName);
      if (old == child) {
        return;
      }
      if (old != null) {
        if (noReplace) {
          throw new FuseException(Errno.EEXIST);
        }
        if (!(old instanceof Node.File oldFile)) {
          throw new FuseException(Errno.EISDIR);
        }
        drop(to, oldFile);
      }
      Path target = path(to);
      Files.createDirectories(target);
      file.content.moveTo(target.resolve(newName));
      leave(from, name);
      file.name = newName;
      file.parent = to;
      to.children.put(newName, file);
    } catch (IOException e) {
      throw localFailure(e);
    } finally {
      namespace.unlock();
    }
  }

  /**
   * While no page can be read, PG_VERSION of template1 cannot be opened: that is what a readiness
   * probe looks at, and PostgreSQL itself opens it for sessions in template1 only.
   */
  @Override
  public long open(long id) throws FuseException {
    Node.File file = file(id);
    if (file.parent.database == TEMPLATE1
        && file.name.equals("PG_VERSION")
        && tree.fetcher().isUnreadable()) {
      throw new FuseException(Errno.EIO);
    }
    file.content.open();
    long handle = nextHandle.getAndIncrement();
    handles.put(handle, new ReadAhead());
    return handle;
  }

  @Override
  public FuseAttributes create(long parent, String name, int mode, FuseCaller caller)
      throws FuseException {
    Node.Directory directory = directory(parent);
    absent(directory, name, caller);
    if (directory.slru == null) { // PostgreSQL may make a segment where an error is a PANIC
      tree.disk().claim(0);
    }
    namespace.lock();
    try {
      absent(directory, name);
      Path directoryPath = path(directory);
      Files.createDirectories(directoryPath);
      Path backing = directoryPath.resolve(name);
      Files.deleteIfExists(backing);
      Node.File made = tree.addLocalFile(directory, name, mode & 07777, backing, 0);
      made.lookups++;
      eviction.added();
      return attributes(made);
    } catch (IOException e) {
      throw localFailure(e);
    } finally {
      namespace.unlock();
    }
  }

  @Override
  public void read(long id, long handle, long offset, ByteBuffer into, FuseCaller caller)
      throws FuseException {
    file(id).content.read(offset, into, handles.get(handle), caller::mustReturn);
  }

  @Override
  public void write(long id, long handle, long offset, ByteBuffer from, FuseCaller caller)
      throws FuseException {
    Node.File file = file(id);
    try {
      file.content.write(offset, from, caller::mustReturn);
    } catch (FuseException e) {
      if (caller.isKernel()) { // which has told PostgreSQL long ago that it was written
        LOG.severe("what PostgreSQL wrote to " + file.name + " below " + overlay + " is lost");
        tree.fetcher().counters().localWriteErrors.incrementAndGet();
      }
      throw e;
    }
    file.modifiedNanos = MountTree.now();
  }

  @Override
  public void release(long id, long handle) {
    handles.remove(handle);
    if (tree.get(id) instanceof Node.File file) {
      file.content.close();
    }
  }

  @Override
  public void allocate(long id, long offset, long length, boolean keepSize) throws FuseException {
    Node.File file = file(id);
    tree.disk().claim(length);
    if (!keepSize) {
      file.content.extend(offset + length);
    }
  }

  @Override
  public FuseDirectoryStream list(long id) throws FuseException {
    return new ListingStream(tree, listing, directory(id));
  }

  @Override
  public FuseSpace space() throws FuseException {
    try {
      return tree.disk().space();
    } catch (IOException e) {
      throw tree.disk().failure("looking for room on", overlay, e);
    }
  }

  private Node node(long id) throws FuseException {
    Node node = tree.get(id);
    if (node == null) {
      throw new FuseException(Errno.ENOENT);
    }
    return node;
  }

  private Node.File file(long id) throws FuseException {
    if (node(id) instanceof Node.File file) {
      return file;
    }
    throw new FuseException(Errno.EISDIR);
  }

  private Node.Directory directory(long id) throws FuseException {
    if (node(id) instanceof Node.Directory directory) {
      return directory;
    }
    throw new FuseException(Errno.ENOTDIR);
  }

  private Path path(Node.Directory directory) {
    return tree.path(directory);
  }

  /** EIO when the source cannot tell. */
  private void absent(Node.Directory directory, String name, FuseCaller caller)
      throws FuseException {
    if (listing.find(directory, name, caller::mustReturn) != null) {
      throw new FuseException(Errno.EEXIST);
    }
  }

  private static void absent(Node.Directory directory, String name) throws FuseException {
    @Nullable Node there = directory.children.get(name);
    if (there != null) {
      throw new FuseException(Errno.EEXIST);
    }
  }

  private FuseException localFailure(IOException e) {
    return tree.disk().changeFailure("changing", overlay, e);
  }
}
