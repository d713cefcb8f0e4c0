/**
 * Checks what an object store holds against its manifests: what is missing, damaged, left over or
 * too new. Reads only, claims nothing, and may run beside pageservers that write. Its callers are
 * tools and tests; nothing of the engine depends on it. Memory grows with the largest timeline, not
 * with the store.
 */
@NullMarked
package dev.varve.engine.check;

import org.jspecify.annotations.NullMarked;
