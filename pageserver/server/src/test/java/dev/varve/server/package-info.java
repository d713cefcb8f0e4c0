/** The pageserver beside real primaries: fixtures, and what happens when a part of it fails. */
@NullMarked
package dev.varve.server;

import org.jspecify.annotations.NullMarked;
