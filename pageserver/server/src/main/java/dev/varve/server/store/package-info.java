/**
 * Object stores that need an SDK. What each must do is the engine's {@code
 * ObjectStoreContractTest}.
 */
@NullMarked
package dev.varve.server.store;

import org.jspecify.annotations.NullMarked;
