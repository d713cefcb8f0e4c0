/**
 * The resident node agent: database volumes for pods, as a CSI node plugin for inline ephemeral
 * volumes.
 *
 * <p>{@code NodeAgent} is the {@code main}. {@code Volumes} publishes, unpublishes and, after a
 * restart, cleans up; the gRPC services check what the kubelet says and hand it on. The layout and
 * the mounts are those of {@link dev.varve.compute.agent.Volume}. Invariants: a volume's record is
 * on disk before anything else of it and goes last; nobody but the agent writes below its
 * directory; no token is ever stored.
 */
@NullMarked
package dev.varve.compute.volume;

import org.jspecify.annotations.NullMarked;
