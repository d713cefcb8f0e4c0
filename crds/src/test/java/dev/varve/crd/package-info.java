/** Tests of the custom resources, against a real API server where one can be started. */
@NullMarked
package dev.varve.crd;

import org.jspecify.annotations.NullMarked;
