/**
 * The local run: a primary, a pageserver and computes on one machine, each a process of its own,
 * and the whole path from attach to restore with its times.
 */
@NullMarked
package dev.varve.local;

import org.jspecify.annotations.NullMarked;
