package dev.varve.compute.fuse;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.jspecify.annotations.Nullable;

/**
 * Decodes one request, calls the file system and encodes the answer. Called by all threads of a
 * session.
 *
 * <p>What the kernel keeps is good for a day: the mount's only writer is the kernel itself. FSYNC,
 * FLUSH, ACCESS, the extended attributes and all else not named answer ENOSYS, which the kernel
 * remembers; for FSYNC and FLUSH that means success, and is meant: local content is not kept after
 * an operating system crash.
 */
final class FuseDispatcher {
  private static final Logger LOG = Logger.getLogger(FuseDispatcher.class.getName());
  private static final long VALID_SECONDS = 86_400;
  private static final int NAME_MAX = 255;
  private static final int BLOCK = 4096;

  private final FuseFileSystem fileSystem;
  private final FuseOptions options;
  private final CountDownLatch initialised = new CountDownLatch(1);
  private final ConcurrentHashMap<Long, FuseDirectoryStream> listings = new ConcurrentHashMap<>();
  private final AtomicLong nextListing = new AtomicLong(1);
  private volatile @Nullable String refusal;
  private volatile boolean ended;

  FuseDispatcher(FuseFileSystem fileSystem, FuseOptions options) {
    this.fileSystem = fileSystem;
    this.options = options;
  }

  CountDownLatch initialised() {
    return initialised;
  }

  @Nullable String refusal() {
    return refusal;
  }

  /** From now on requests are not for the file system: what is due an answer gets ENOTCONN. */
  void end() {
    ended = true;
  }

  /** The bytes of the answer in {@code out}, 0 when none is due. */
  int answer(ByteBuffer in, ByteBuffer out) {
    int opcode = in.getInt(FuseAbi.IN_OPCODE);
    long unique = in.getLong(FuseAbi.IN_UNIQUE);
    long node = in.getLong(FuseAbi.IN_NODE);
    in.position(FuseAbi.IN_HEADER_BYTES);
    int error = 0;
    int payload = 0;
    boolean over = ended;
    try {
      if (opcode == FuseAbi.FORGET) {
        if (!over) {
          fileSystem.forget(node, in.getLong(FuseAbi.IN_HEADER_BYTES + FuseAbi.FORGET_COUNT));
        }
        return 0;
      }
      if (opcode == FuseAbi.BATCH_FORGET) {
        if (!over) {
          forgetAll(in);
        }
        return 0;
      }
      if (opcode == FuseAbi.INTERRUPT) {
        return 0; // see FuseCaller
      }
      if (over) {
        throw new FuseException(Errno.ENOTCONN);
      }
      FuseCaller caller = new FuseCaller(in.getInt(FuseAbi.IN_PROCESS));
      payload = dispatch(opcode, node, in.slice().order(in.order()), out, caller);
    } catch (FuseException e) {
      error = e.errno();
    } catch (RuntimeException | StackOverflowError e) {
      LOG.log(Level.SEVERE, "operation " + opcode + " on node " + node + " failed", e);
      error = Errno.EIO;
    }
    int bytes = FuseAbi.OUT_HEADER_BYTES + (error == 0 ? payload : 0);
    out.putInt(FuseAbi.OUT_LENGTH, bytes);
    out.putInt(FuseAbi.OUT_ERROR, -error);
    out.putLong(FuseAbi.OUT_UNIQUE, unique);
    return bytes;
  }

  private void forgetAll(ByteBuffer in) {
    int count = in.getInt(FuseAbi.IN_HEADER_BYTES + FuseAbi.BATCH_FORGET_COUNT);
    int at = FuseAbi.IN_HEADER_BYTES + FuseAbi.BATCH_FORGET_ENTRIES;
    for (int i = 0; i < count; i++, at += FuseAbi.FORGET_ONE_BYTES) {
      fileSystem.forget(in.getLong(at), in.getLong(at + 8));
    }
  }

  private int dispatch(int opcode, long node, ByteBuffer in, ByteBuffer out, FuseCaller caller)
      throws FuseException {
    return switch (opcode) {
      case FuseAbi.READ -> read(node, in, out, caller);
      case FuseAbi.WRITE -> write(node, in, out, caller);
      case FuseAbi.LOOKUP -> entry(fileSystem.lookup(node, name(in, 0), caller), out, 0);
      case FuseAbi.GETATTR -> attributes(fileSystem.attributes(node), out);
      case FuseAbi.SETATTR -> setAttributes(node, in, out, caller);
      case FuseAbi.MKDIR ->
          entry(
              fileSystem.makeDirectory(
                  node, name(in, FuseAbi.MKDIR_NAME), in.getInt(FuseAbi.MKDIR_MODE), caller),
              out,
              0);
      case FuseAbi.SYMLINK -> link(node, in, out, caller);
      case FuseAbi.READLINK -> {
        byte[] target = fileSystem.link(node).getBytes(StandardCharsets.UTF_8);
        out.put(FuseAbi.OUT_HEADER_BYTES, target);
        yield target.length;
      }
      case FuseAbi.UNLINK -> {
        fileSystem.unlink(node, name(in, 0), caller);
        yield 0;
      }
      case FuseAbi.RMDIR -> {
        fileSystem.removeDirectory(node, name(in, 0), caller);
        yield 0;
      }
      case FuseAbi.RENAME -> rename(node, in, FuseAbi.RENAME_NAMES, 0, caller);
      case FuseAbi.RENAME2 ->
          rename(node, in, FuseAbi.RENAME2_NAMES, in.getInt(FuseAbi.RENAME2_FLAGS), caller);
      case FuseAbi.OPEN -> opened(fileSystem.open(node), FuseAbi.FOPEN_KEEP_CACHE, out, 0);
      case FuseAbi.CREATE -> create(node, in, out, caller);
      case FuseAbi.RELEASE -> {
        fileSystem.release(node, in.getLong(FuseAbi.IO_HANDLE));
        yield 0;
      }
      case FuseAbi.FALLOCATE -> allocate(node, in);
      case FuseAbi.OPENDIR -> openDirectory(node, out);
      case FuseAbi.READDIR -> readDirectory(in, out, caller);
      case FuseAbi.RELEASEDIR -> {
        listings.remove(in.getLong(FuseAbi.IO_HANDLE));
        yield 0;
      }
      case FuseAbi.STATFS -> space(out);
      case FuseAbi.INIT -> initialise(in, out);
      case FuseAbi.DESTROY -> 0;
      default -> throw new FuseException(Errno.ENOSYS);
    };
  }

  private int read(long node, ByteBuffer in, ByteBuffer out, FuseCaller caller)
      throws FuseException {
    int size = in.getInt(FuseAbi.IO_SIZE);
    if (size < 0 || size > out.capacity() - FuseAbi.OUT_HEADER_BYTES) {
      throw new FuseException(Errno.EINVAL);
    }
    out.position(FuseAbi.OUT_HEADER_BYTES).limit(FuseAbi.OUT_HEADER_BYTES + size);
    fileSystem.read(
        node, in.getLong(FuseAbi.IO_HANDLE), in.getLong(FuseAbi.IO_OFFSET), out, caller);
    int got = out.position() - FuseAbi.OUT_HEADER_BYTES;
    out.clear();
    return got;
  }

  private int write(long node, ByteBuffer in, ByteBuffer out, FuseCaller caller)
      throws FuseException {
    int size = in.getInt(FuseAbi.IO_SIZE);
    if (size < 0 || size != in.limit() - FuseAbi.WRITE_DATA) {
      throw new FuseException(Errno.EINVAL);
    }
    long handle = in.getLong(FuseAbi.IO_HANDLE);
    long offset = in.getLong(FuseAbi.IO_OFFSET);
    fileSystem.write(node, handle, offset, in.position(FuseAbi.WRITE_DATA), caller);
    out.putLong(FuseAbi.OUT_HEADER_BYTES, size);
    return 8;
  }

  private int setAttributes(long node, ByteBuffer in, ByteBuffer out, FuseCaller caller)
      throws FuseException {
    int valid = in.getInt(FuseAbi.SETATTR_VALID);
    FuseAttributes now = fileSystem.attributes(node);
    if ((valid & FuseAbi.FATTR_SIZE) != 0) {
      now = fileSystem.truncate(node, in.getLong(FuseAbi.SETATTR_SIZE), caller);
    }
    if ((valid & FuseAbi.FATTR_MODE) != 0) {
      now = fileSystem.changeMode(node, in.getInt(FuseAbi.SETATTR_MODE) & 07777);
    }
    return attributes(now, out);
  }

  private int rename(long node, ByteBuffer in, int namesAt, int flags, FuseCaller caller)
      throws FuseException {
    if ((flags & ~FuseAbi.RENAME_NOREPLACE) != 0) {
      throw new FuseException(Errno.EINVAL);
    }
    String from = name(in, namesAt);
    String to = name(in, namesAt + from.getBytes(StandardCharsets.UTF_8).length + 1);
    fileSystem.rename(node, from, in.getLong(FuseAbi.RENAME_NEW_PARENT), to, flags != 0, caller);
    return 0;
  }

  /** The name comes first, then the target. */
  private int link(long node, ByteBuffer in, ByteBuffer out, FuseCaller caller)
      throws FuseException {
    String name = name(in, 0);
    String target = name(in, name.getBytes(StandardCharsets.UTF_8).length + 1);
    return entry(fileSystem.makeLink(node, name, target, caller), out, 0);
  }

  private int create(long node, ByteBuffer in, ByteBuffer out, FuseCaller caller)
      throws FuseException {
    FuseAttributes made =
        fileSystem.create(
            node, name(in, FuseAbi.CREATE_NAME), in.getInt(FuseAbi.CREATE_MODE) & 07777, caller);
    int at = entry(made, out, 0);
    return at + opened(fileSystem.open(made.node()), FuseAbi.FOPEN_KEEP_CACHE, out, at);
  }

  private int allocate(long node, ByteBuffer in) throws FuseException {
    int mode = in.getInt(FuseAbi.FALLOCATE_MODE);
    if ((mode & ~FuseAbi.FALLOC_FL_KEEP_SIZE) != 0) {
      throw new FuseException(Errno.EOPNOTSUPP);
    }
    fileSystem.allocate(
        node,
        in.getLong(FuseAbi.FALLOCATE_OFFSET),
        in.getLong(FuseAbi.FALLOCATE_LENGTH),
        mode != 0);
    return 0;
  }

  private int openDirectory(long node, ByteBuffer out) throws FuseException {
    long handle = nextListing.getAndIncrement();
    listings.put(handle, fileSystem.list(node));
    return opened(handle, 0, out, 0);
  }

  private int readDirectory(ByteBuffer in, ByteBuffer out, FuseCaller caller) throws FuseException {
    FuseDirectoryStream entries = listings.get(in.getLong(FuseAbi.IO_HANDLE));
    if (entries == null) {
      throw new FuseException(Errno.EBADF);
    }
    int size = Math.min(in.getInt(FuseAbi.IO_SIZE), out.capacity() - FuseAbi.OUT_HEADER_BYTES);
    int used = 0;
    for (long i = in.getLong(FuseAbi.IO_OFFSET); ; i++) {
      FuseDirectoryEntry entry;
      try {
        entry = entries.entry(i, caller);
      } catch (FuseException e) {
        if (used > 0) {
          return used; // whoever reads on meets it
        }
        throw e;
      }
      if (entry == null) {
        return used;
      }
      byte[] name = entry.name().getBytes(StandardCharsets.UTF_8);
      int bytes = (FuseAbi.DIRENT_NAME + name.length + 7) & ~7;
      if (used + bytes > size) {
        return used;
      }
      int at = FuseAbi.OUT_HEADER_BYTES + used;
      out.putLong(at + FuseAbi.DIRENT_INO, entry.node());
      out.putLong(at + FuseAbi.DIRENT_NEXT, i + 1);
      out.putInt(at + FuseAbi.DIRENT_NAME_LENGTH, name.length);
      out.putInt(at + FuseAbi.DIRENT_TYPE, entry.type() >>> 12);
      out.put(at + FuseAbi.DIRENT_NAME, name);
      for (int pad = FuseAbi.DIRENT_NAME + name.length; pad < bytes; pad++) {
        out.put(at + pad, (byte) 0);
      }
      used += bytes;
    }
  }

  private int space(ByteBuffer out) throws FuseException {
    FuseSpace space = fileSystem.space();
    int at = FuseAbi.OUT_HEADER_BYTES;
    zero(out, at, FuseAbi.STATFS_BYTES);
    out.putLong(at + FuseAbi.STATFS_BLOCKS, space.total() / BLOCK);
    out.putLong(at + FuseAbi.STATFS_FREE, space.free() / BLOCK);
    out.putLong(at + FuseAbi.STATFS_AVAILABLE, space.available() / BLOCK);
    out.putInt(at + FuseAbi.STATFS_BLOCK_BYTES, BLOCK);
    out.putInt(at + FuseAbi.STATFS_FRAGMENT_BYTES, BLOCK);
    out.putInt(at + FuseAbi.STATFS_NAME_LENGTH, NAME_MAX);
    return FuseAbi.STATFS_BYTES;
  }

  private int initialise(ByteBuffer in, ByteBuffer out) throws FuseException {
    int major = in.getInt(FuseAbi.INIT_MAJOR);
    int minor = in.getInt(FuseAbi.INIT_MINOR);
    int offered = in.getInt(FuseAbi.INIT_FLAGS);
    int wanted =
        FuseAbi.INIT_ASYNC_READ
            | FuseAbi.INIT_BIG_WRITES
            | FuseAbi.INIT_PARALLEL_DIROPS
            | FuseAbi.INIT_MAX_PAGES
            | (options.writeback() ? FuseAbi.INIT_WRITEBACK_CACHE : 0);
    if (major != FuseAbi.KERNEL_VERSION || minor < 31 || (offered & wanted) != wanted) {
      refusal =
          "this kernel speaks FUSE "
              + major
              + "."
              + minor
              + " with flags 0x"
              + Integer.toHexString(offered)
              + "; the mount needs 7.31 (Linux 5.4) or newer. Run with --eager, which needs no mount.";
      initialised.countDown();
      throw new FuseException(Errno.EINVAL);
    }
    int at = FuseAbi.OUT_HEADER_BYTES;
    zero(out, at, FuseAbi.INIT_OUT_BYTES);
    out.putInt(at + FuseAbi.INIT_OUT_MAJOR, FuseAbi.KERNEL_VERSION);
    out.putInt(at + FuseAbi.INIT_OUT_MINOR, Math.min(minor, FuseAbi.KERNEL_MINOR_VERSION));
    out.putInt(
        at + FuseAbi.INIT_OUT_MAX_READAHEAD,
        Math.max(in.getInt(FuseAbi.INIT_MAX_READAHEAD), options.maxTransferBytes()));
    out.putInt(at + FuseAbi.INIT_OUT_FLAGS, wanted);
    out.putShort(at + FuseAbi.INIT_OUT_MAX_BACKGROUND, (short) 128);
    out.putShort(at + FuseAbi.INIT_OUT_CONGESTION, (short) 96);
    out.putInt(at + FuseAbi.INIT_OUT_MAX_WRITE, options.maxTransferBytes());
    out.putInt(at + FuseAbi.INIT_OUT_TIME_GRANULARITY, 1);
    out.putShort(at + FuseAbi.INIT_OUT_MAX_PAGES, (short) (options.maxTransferBytes() / BLOCK));
    initialised.countDown();
    return FuseAbi.INIT_OUT_BYTES;
  }

  private static int entry(FuseAttributes attributes, ByteBuffer out, int offset) {
    int at = FuseAbi.OUT_HEADER_BYTES + offset;
    zero(out, at, FuseAbi.ENTRY_BYTES);
    out.putLong(at + FuseAbi.ENTRY_NODE, attributes.node());
    out.putLong(at + FuseAbi.ENTRY_VALID, VALID_SECONDS);
    out.putLong(at + FuseAbi.ENTRY_ATTR_VALID, VALID_SECONDS);
    put(attributes, out, at + FuseAbi.ENTRY_ATTR);
    return FuseAbi.ENTRY_BYTES;
  }

  private static int attributes(FuseAttributes attributes, ByteBuffer out) {
    int at = FuseAbi.OUT_HEADER_BYTES;
    zero(out, at, FuseAbi.ATTR_OUT_BYTES);
    out.putLong(at + FuseAbi.ATTR_OUT_VALID, VALID_SECONDS);
    put(attributes, out, at + FuseAbi.ATTR_OUT_ATTR);
    return FuseAbi.ATTR_OUT_BYTES;
  }

  private static int opened(long handle, int flags, ByteBuffer out, int offset) {
    int at = FuseAbi.OUT_HEADER_BYTES + offset;
    zero(out, at, FuseAbi.OPEN_OUT_BYTES);
    out.putLong(at + FuseAbi.OPEN_OUT_HANDLE, handle);
    out.putInt(at + FuseAbi.OPEN_OUT_FLAGS, flags);
    return FuseAbi.OPEN_OUT_BYTES;
  }

  private static void put(FuseAttributes attributes, ByteBuffer out, int at) {
    long seconds = Math.floorDiv(attributes.modifiedNanos(), 1_000_000_000L);
    int nanos = (int) Math.floorMod(attributes.modifiedNanos(), 1_000_000_000L);
    out.putLong(at + FuseAbi.ATTR_INO, attributes.node());
    out.putLong(at + FuseAbi.ATTR_SIZE, attributes.size());
    out.putLong(at + FuseAbi.ATTR_BLOCKS, (attributes.size() + 511) / 512);
    out.putLong(at + FuseAbi.ATTR_ATIME, seconds);
    out.putLong(at + FuseAbi.ATTR_MTIME, seconds);
    out.putLong(at + FuseAbi.ATTR_CTIME, seconds);
    out.putInt(at + FuseAbi.ATTR_ATIME_NSEC, nanos);
    out.putInt(at + FuseAbi.ATTR_MTIME_NSEC, nanos);
    out.putInt(at + FuseAbi.ATTR_CTIME_NSEC, nanos);
    out.putInt(at + FuseAbi.ATTR_MODE, attributes.mode());
    out.putInt(at + FuseAbi.ATTR_NLINK, attributes.links());
    out.putInt(at + FuseAbi.ATTR_UID, attributes.uid());
    out.putInt(at + FuseAbi.ATTR_GID, attributes.gid());
    out.putInt(at + FuseAbi.ATTR_BLKSIZE, BLOCK);
  }

  private static String name(ByteBuffer in, int offset) {
    int end = offset;
    while (in.get(end) != 0) {
      end++;
    }
    byte[] bytes = new byte[end - offset];
    in.get(offset, bytes);
    return new String(bytes, StandardCharsets.UTF_8);
  }

  private static void zero(ByteBuffer out, int at, int bytes) {
    for (int i = 0; i < bytes; i++) {
      out.put(at + i, (byte) 0);
    }
  }
}
