package dev.varve.compute.mount;

/**
 * A database's directory in a tablespace.
 *
 * @param path relative to the mount: the database's oid, in a further tablespace behind its version
 *     directory
 * @param database oid
 */
public record DatabaseDirectory(String path, int database) {}
