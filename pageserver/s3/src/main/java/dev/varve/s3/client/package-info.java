/**
 * Object stores that need an SDK. What each must do is the engine's {@code
 * ObjectStoreContractTest}.
 */
@NullMarked
package dev.varve.s3.client;

import org.jspecify.annotations.NullMarked;
