/**
 * PostgreSQL's own formats outside the WAL: pages, locators, the control file, relation maps. Pure
 * functions over byte arrays; differences between majors live in tables here.
 */
@NullMarked
package dev.varve.engine.postgres;

import org.jspecify.annotations.NullMarked;
