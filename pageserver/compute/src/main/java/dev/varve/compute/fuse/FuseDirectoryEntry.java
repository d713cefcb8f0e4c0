package dev.varve.compute.fuse;

/**
 * One name of a directory listing. {@code type} is {@link FuseAttributes#TYPE_DIRECTORY} or {@code
 * TYPE_FILE}.
 */
public record FuseDirectoryEntry(long node, String name, int type) {}
