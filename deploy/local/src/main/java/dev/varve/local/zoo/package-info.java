/**
 * The zoo: clusters of many shapes, each attached to a real pageserver, started from as stock
 * PostgreSQL on a mount and eagerly, and compared with its original.
 */
@NullMarked
package dev.varve.local.zoo;

import org.jspecify.annotations.NullMarked;
