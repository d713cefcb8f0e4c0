/**
 * The agent's pieces, and the program that puts them together on a laptop.
 *
 * <p>{@link dev.varve.compute.agent.Volume} lays out and mounts, {@link
 * dev.varve.compute.agent.PostgresProcess} is one running server, {@link
 * dev.varve.compute.agent.Supervisor} ties the two; {@link dev.varve.compute.agent.Agent} is the
 * {@code main}. A resident node agent uses the first without the others.
 */
@NullMarked
package dev.varve.compute.agent;

import org.jspecify.annotations.NullMarked;
