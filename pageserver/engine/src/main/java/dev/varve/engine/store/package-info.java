/**
 * The object store as the engine needs it: whole-object and ranged reads, exclusive creation,
 * listing. Implementations live with the SDK they use; one contract test binds them all.
 */
@NullMarked
package dev.varve.engine.store;

import org.jspecify.annotations.NullMarked;
