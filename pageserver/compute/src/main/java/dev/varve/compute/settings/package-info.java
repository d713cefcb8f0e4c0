/**
 * What a compute is configured with: what follows from its data directory, what comes from its
 * original, what a copy may not do, and what the user wants. Called by the agents before PostgreSQL
 * starts; knows files, but no mounts and no processes.
 */
@NullMarked
package dev.varve.compute.settings;

import org.jspecify.annotations.NullMarked;
