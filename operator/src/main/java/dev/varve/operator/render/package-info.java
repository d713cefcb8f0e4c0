/** The Kubernetes objects that the operator owns, as they should be. Pure; golden files tell. */
@NullMarked
package dev.varve.operator.render;

import org.jspecify.annotations.NullMarked;
