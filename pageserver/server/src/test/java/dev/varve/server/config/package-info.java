/** The settings beside their document. */
@NullMarked
package dev.varve.server.config;

import org.jspecify.annotations.NullMarked;
