package dev.varve.engine.store;

/** One object in a listing: its name and its length in bytes. */
public record ObjectEntry(String name, long length) {}
