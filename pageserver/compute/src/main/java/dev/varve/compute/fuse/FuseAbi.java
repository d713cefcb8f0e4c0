package dev.varve.compute.fuse;

/**
 * Operation codes, flags and structure offsets of the FUSE kernel protocol 7.38; all fields are in
 * host byte order.
 *
 * <p>Source: Linux include/uapi/linux/fuse.h.
 */
final class FuseAbi {
  static final int KERNEL_VERSION = 7;
  static final int KERNEL_MINOR_VERSION = 38;

  static final int LOOKUP = 1;
  static final int FORGET = 2;
  static final int GETATTR = 3;
  static final int SETATTR = 4;
  static final int READLINK = 5;
  static final int SYMLINK = 6;
  static final int MKDIR = 9;
  static final int UNLINK = 10;
  static final int RMDIR = 11;
  static final int RENAME = 12;
  static final int OPEN = 14;
  static final int READ = 15;
  static final int WRITE = 16;
  static final int STATFS = 17;
  static final int RELEASE = 18;
  static final int INIT = 26;
  static final int OPENDIR = 27;
  static final int READDIR = 28;
  static final int RELEASEDIR = 29;
  static final int CREATE = 35;
  static final int INTERRUPT = 36;
  static final int DESTROY = 38;
  static final int BATCH_FORGET = 42;
  static final int FALLOCATE = 43;
  static final int RENAME2 = 45;

  /** {@code fuse_in_header}. */
  static final int IN_LENGTH = 0;

  static final int IN_OPCODE = 4;
  static final int IN_UNIQUE = 8;
  static final int IN_NODE = 16;
  static final int IN_PROCESS = 32;
  static final int IN_HEADER_BYTES = 40;

  /** {@code fuse_out_header}. */
  static final int OUT_LENGTH = 0;

  static final int OUT_ERROR = 4;
  static final int OUT_UNIQUE = 8;
  static final int OUT_HEADER_BYTES = 16;

  /** In place of an error, in a message without request: {@code fuse_notify_inval_entry_out}. */
  static final int NOTIFY_INVAL_ENTRY = 3;

  static final int INVAL_ENTRY_PARENT = 0;
  static final int INVAL_ENTRY_NAME_LENGTH = 8;
  static final int INVAL_ENTRY_FLAGS = 12;
  static final int INVAL_ENTRY_NAME = 16;

  /** {@code fuse_attr}, from its own start. */
  static final int ATTR_INO = 0;

  static final int ATTR_SIZE = 8;
  static final int ATTR_BLOCKS = 16;
  static final int ATTR_ATIME = 24;
  static final int ATTR_MTIME = 32;
  static final int ATTR_CTIME = 40;
  static final int ATTR_ATIME_NSEC = 48;
  static final int ATTR_MTIME_NSEC = 52;
  static final int ATTR_CTIME_NSEC = 56;
  static final int ATTR_MODE = 60;
  static final int ATTR_NLINK = 64;
  static final int ATTR_UID = 68;
  static final int ATTR_GID = 72;
  static final int ATTR_BLKSIZE = 80;
  static final int ATTR_BYTES = 88;

  /** {@code fuse_entry_out}; its attributes are at its end. */
  static final int ENTRY_NODE = 0;

  static final int ENTRY_VALID = 16;
  static final int ENTRY_ATTR_VALID = 24;
  static final int ENTRY_ATTR = 40;
  static final int ENTRY_BYTES = ENTRY_ATTR + ATTR_BYTES;

  /** {@code fuse_attr_out}. */
  static final int ATTR_OUT_VALID = 0;

  static final int ATTR_OUT_ATTR = 16;
  static final int ATTR_OUT_BYTES = ATTR_OUT_ATTR + ATTR_BYTES;

  /** {@code fuse_open_out}. */
  static final int OPEN_OUT_HANDLE = 0;

  static final int OPEN_OUT_FLAGS = 8;
  static final int OPEN_OUT_BYTES = 16;
  static final int FOPEN_KEEP_CACHE = 1 << 1;
  static final int FOPEN_CACHE_DIR = 1 << 3;

  /** {@code fuse_setattr_in}. */
  static final int SETATTR_VALID = 0;

  static final int SETATTR_SIZE = 16;
  static final int SETATTR_MODE = 68;
  static final int FATTR_MODE = 1;
  static final int FATTR_SIZE = 1 << 3;

  /** {@code fuse_mkdir_in}: mode, umask, name. */
  static final int MKDIR_MODE = 0;

  static final int MKDIR_NAME = 8;

  /** {@code fuse_create_in}: flags, mode, umask, open flags, name. */
  static final int CREATE_MODE = 4;

  static final int CREATE_NAME = 16;

  /** {@code fuse_rename_in} and {@code fuse_rename2_in}. */
  static final int RENAME_NEW_PARENT = 0;

  static final int RENAME_NAMES = 8;
  static final int RENAME2_FLAGS = 8;
  static final int RENAME2_NAMES = 16;
  static final int RENAME_NOREPLACE = 1;

  /** {@code fuse_read_in} and {@code fuse_write_in}. */
  static final int IO_HANDLE = 0;

  static final int IO_OFFSET = 8;
  static final int IO_SIZE = 16;
  static final int WRITE_DATA = 40;

  /** {@code fuse_fallocate_in}. */
  static final int FALLOCATE_OFFSET = 8;

  static final int FALLOCATE_LENGTH = 16;
  static final int FALLOCATE_MODE = 24;
  static final int FALLOC_FL_KEEP_SIZE = 1;

  /** {@code fuse_forget_in}, {@code fuse_batch_forget_in}, {@code fuse_forget_one}. */
  static final int FORGET_COUNT = 0;

  static final int BATCH_FORGET_COUNT = 0;
  static final int BATCH_FORGET_ENTRIES = 8;
  static final int FORGET_ONE_BYTES = 16;

  /** {@code fuse_kstatfs}. */
  static final int STATFS_BLOCKS = 0;

  static final int STATFS_FREE = 8;
  static final int STATFS_AVAILABLE = 16;
  static final int STATFS_BLOCK_BYTES = 40;
  static final int STATFS_NAME_LENGTH = 44;
  static final int STATFS_FRAGMENT_BYTES = 48;
  static final int STATFS_BYTES = 80;

  /** {@code fuse_dirent}. */
  static final int DIRENT_INO = 0;

  static final int DIRENT_NEXT = 8;
  static final int DIRENT_NAME_LENGTH = 16;
  static final int DIRENT_TYPE = 20;
  static final int DIRENT_NAME = 24;

  /** {@code fuse_init_in}. */
  static final int INIT_MAJOR = 0;

  static final int INIT_MINOR = 4;
  static final int INIT_MAX_READAHEAD = 8;
  static final int INIT_FLAGS = 12;

  /** {@code fuse_init_out}. */
  static final int INIT_OUT_MAJOR = 0;

  static final int INIT_OUT_MINOR = 4;
  static final int INIT_OUT_MAX_READAHEAD = 8;
  static final int INIT_OUT_FLAGS = 12;
  static final int INIT_OUT_MAX_BACKGROUND = 16;
  static final int INIT_OUT_CONGESTION = 18;
  static final int INIT_OUT_MAX_WRITE = 20;
  static final int INIT_OUT_TIME_GRANULARITY = 24;
  static final int INIT_OUT_MAX_PAGES = 28;
  static final int INIT_OUT_BYTES = 64;

  static final int INIT_ASYNC_READ = 1;
  static final int INIT_BIG_WRITES = 1 << 5;
  static final int INIT_WRITEBACK_CACHE = 1 << 16;
  static final int INIT_PARALLEL_DIROPS = 1 << 18;
  static final int INIT_MAX_PAGES = 1 << 22;

  /** {@code FUSE_DEV_IOC_CLONE}: _IOR(229, 0, uint32_t). */
  static final long DEV_IOC_CLONE = 0x8004E500L;

  private FuseAbi() {}
}
