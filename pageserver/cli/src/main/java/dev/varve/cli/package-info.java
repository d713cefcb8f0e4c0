/**
 * {@code varve}, a command line for administrators and scripts: reads settings as a pageserver
 * does, and prints its results on standard output, everything else on standard error. Each command
 * is a class; what it does is the engine's.
 */
@NullMarked
package dev.varve.cli;

import org.jspecify.annotations.NullMarked;
