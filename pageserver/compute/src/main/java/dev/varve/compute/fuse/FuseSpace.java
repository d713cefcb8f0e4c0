package dev.varve.compute.fuse;

/** The room of the disk below a file system, in bytes. */
public record FuseSpace(long total, long free, long available) {}
