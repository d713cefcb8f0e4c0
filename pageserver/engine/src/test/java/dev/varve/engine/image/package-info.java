@NullMarked
package dev.varve.engine.image;

import org.jspecify.annotations.NullMarked;
