/** The pageserver application. */
@NullMarked
package dev.varve.server;

import org.jspecify.annotations.NullMarked;
