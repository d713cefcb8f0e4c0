/** The S3 server of the laptop overlay. */
@NullMarked
package dev.varve.s3;

import org.jspecify.annotations.NullMarked;
