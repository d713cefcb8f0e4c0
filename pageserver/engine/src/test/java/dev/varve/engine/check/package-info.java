@NullMarked
package dev.varve.engine.check;

import org.jspecify.annotations.NullMarked;
