/**
 * Every setting of the pageserver, under the prefix {@code varve}. Read once at start by the beans
 * that need them; nothing below the application's edge knows of it.
 */
@NullMarked
package dev.varve.server.config;

import org.jspecify.annotations.NullMarked;
