/**
 * The controllers: each sees, plans and applies. A status is written with the resource version that
 * was read, and before anything that follows from it is done; who reads an old one writes nothing.
 */
@NullMarked
package dev.varve.operator.reconcile;

import org.jspecify.annotations.NullMarked;
