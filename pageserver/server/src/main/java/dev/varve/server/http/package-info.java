/**
 * The HTTP edge: the list of timelines, attach and detach for people with curl, and the readiness
 * check.
 */
@NullMarked
package dev.varve.server.http;

import org.jspecify.annotations.NullMarked;
