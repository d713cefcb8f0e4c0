/**
 * Values and pages as of an LSN: chains are collected from the layers and replayed, and what they
 * make is cached.
 */
@NullMarked
package dev.varve.engine.read;

import org.jspecify.annotations.NullMarked;
