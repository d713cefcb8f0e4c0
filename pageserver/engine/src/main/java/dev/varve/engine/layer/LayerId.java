package dev.varve.engine.layer;

/** Names a layer: a generation of its origin uses no sequence number twice. */
public record LayerId(LayerOrigin origin, int generation, int sequence) {}
