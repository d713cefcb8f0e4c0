/** The replication client against a primary that says whatever a test wants. */
@NullMarked
package dev.varve.server.source;

import org.jspecify.annotations.NullMarked;
