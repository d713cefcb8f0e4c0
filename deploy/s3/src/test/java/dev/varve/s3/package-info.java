/** Tests of the laptop overlay's S3 server over its own protocol. */
@NullMarked
package dev.varve.s3;

import org.jspecify.annotations.NullMarked;
