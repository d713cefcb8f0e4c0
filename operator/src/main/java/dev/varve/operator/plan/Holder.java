package dev.varve.operator.plan;

/** A pageserver that answered and has a shard of a timeline, and what it said of it. */
public record Holder(PageserverPod pod, Report report) {}
