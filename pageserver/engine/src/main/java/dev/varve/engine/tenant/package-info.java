/**
 * Tenants: the timelines that one pageserver has attached, each in its place of the object store
 * and of the local disk, under a generation of its own.
 */
@NullMarked
package dev.varve.engine.tenant;

import org.jspecify.annotations.NullMarked;
