/**
 * What a person does with {@code kubectl}, done on the cluster that {@code KUBECONFIG} names, with
 * the images that {@code deploy/images} pushed and the overlay {@code deploy/overlays/laptop}.
 */
@NullMarked
package dev.varve.e2e;

import org.jspecify.annotations.NullMarked;
