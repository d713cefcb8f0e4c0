package dev.varve.compute.page;

/**
 * A fork that exists at the LSN.
 *
 * @param fork as it is named in the directory
 * @param blocks length, unsigned 32 bits
 * @param sourceFork the fork to ask for its pages; differs for the main fork of an unlogged
 *     relation
 */
public record RelationSize(RelationFork fork, long blocks, int sourceFork) {}
