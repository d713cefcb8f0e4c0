/** Names of metrics beside their document. */
@NullMarked
package dev.varve.server.metrics;

import org.jspecify.annotations.NullMarked;
