/** Tests of attached timelines. */
@NullMarked
package dev.varve.server.attachment;

import org.jspecify.annotations.NullMarked;
