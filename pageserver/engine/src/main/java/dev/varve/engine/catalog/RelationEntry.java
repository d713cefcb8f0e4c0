package dev.varve.engine.catalog;

/**
 * One fork in a listing.
 *
 * @param blocks its size, unsigned
 * @param sourceFork the fork whose pages it has: its own, but for the main fork of an unlogged
 *     relation, which a cluster that was shut down starts with as a copy of the init fork
 */
public record RelationEntry(int relationNumber, int fork, int blocks, int sourceFork) {}
