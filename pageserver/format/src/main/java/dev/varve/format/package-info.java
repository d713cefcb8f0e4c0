/**
 * The envelope that every file and object of Varve's wears, so that each can be told from the
 * others, from one of another version and from a damaged one. Called by whatever writes or reads
 * one; knows nothing of what is inside. {@code docs/formats/envelope.md} specifies the bytes.
 */
@NullMarked
package dev.varve.format;

import org.jspecify.annotations.NullMarked;
