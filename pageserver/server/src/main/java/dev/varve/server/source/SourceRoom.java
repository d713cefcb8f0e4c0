package dev.varve.server.source;

/**
 * How much a primary has of what each timeline takes one of, when none of it is left.
 *
 * @param replicationSlots its {@code max_replication_slots}
 * @param walSenders its {@code max_wal_senders}
 */
public record SourceRoom(int replicationSlots, int walSenders) {}
