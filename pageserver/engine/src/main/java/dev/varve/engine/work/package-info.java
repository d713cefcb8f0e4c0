/** The background work on a timeline's layers, as steps: writing, publishing, merging, removing. */
@NullMarked
package dev.varve.engine.work;

import org.jspecify.annotations.NullMarked;
