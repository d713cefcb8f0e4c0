/**
 * The custom resources of {@code varve.dev/v1alpha1}: {@link dev.varve.crd.Tenant} and {@link
 * dev.varve.crd.Timeline}. What people write is in the specs, what the operator found and did in
 * the statuses. The CustomResourceDefinitions are generated from these types: the texts in them are
 * what {@code kubectl explain} prints. Values are records; lists and maps in them are never changed
 * once made.
 */
@NullMarked
package dev.varve.crd;

import org.jspecify.annotations.NullMarked;
