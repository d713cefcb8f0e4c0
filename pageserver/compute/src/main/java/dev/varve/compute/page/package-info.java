/**
 * Where pages that are not local come from: {@link dev.varve.compute.page.PageSource}, read at one
 * LSN for a compute's whole life, and its implementation over the pageserver's gRPC contract. Knows
 * nothing of files and mounts.
 */
@NullMarked
package dev.varve.compute.page;

import org.jspecify.annotations.NullMarked;
