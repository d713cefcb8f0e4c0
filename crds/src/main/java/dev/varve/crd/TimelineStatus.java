package dev.varve.crd;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What the operator knows of a timeline. LSNs are as PostgreSQL writes them. */
public record TimelineStatus(
    @JsonProperty
        @JsonPropertyDescription("The metadata.generation of the spec that this status speaks of.")
        @Nullable Long observedGeneration,
    @JsonProperty
        @JsonPropertyDescription(
            "Ready: computes can start from it. SourceReachable: WAL is being received."
                + " StoreReachable: nothing fails at the object store.")
        @Nullable List<Condition> conditions,
    @JsonProperty
        @JsonPropertyDescription(
            "The timeline's id, which its objects in the object store lie below. A Timeline that is"
                + " deleted and made again has another one.")
        @Nullable String timelineId,
    @JsonProperty
        @JsonPropertyDescription(
            "Where computes connect: HOST:PORT of the Service. With several shards HOST:FIRST-LAST:"
                + " each shard has a port of its own, in order.")
        @Nullable String address,
    @JsonProperty
        @JsonPropertyDescription(
            "The replication slot's name. With several shards each has a slot of its own, of this"
                + " name with _0, _1 and so on behind.")
        @Nullable String slot,
    @JsonProperty @JsonPropertyDescription("The primary's PostgreSQL major version.")
        @Nullable Integer postgresMajor,
    @JsonProperty
        @JsonPropertyDescription("The database cluster's system identifier, as pg_control has it.")
        @Nullable String systemIdentifier,
    @JsonProperty @JsonPropertyDescription("The lowest LSN that can be read.")
        @Nullable String readableFromLsn,
    @JsonProperty
        @JsonPropertyDescription("The end of the newest record that can be read, on all shards.")
        @Nullable String receivedLsn,
    @JsonProperty
        @JsonPropertyDescription(
            "Everything up to here is durable in the object store, on all shards.")
        @Nullable String publishedLsn,
    @JsonProperty
        @JsonPropertyDescription(
            "WAL of the primary that was not received yet, in bytes; with several shards the"
                + " most. Absent while it is not known.")
        @Nullable Long lagBytes,
    @JsonProperty
        @JsonPropertyDescription(
            "Seconds since all WAL that the primary had was received; with several shards the"
                + " most. Absent while it is not known.")
        @Nullable Long lagSeconds,
    @JsonProperty
        @JsonPropertyDescription(
            "WAL that the slot makes the primary keep, in bytes; with several shards the most.")
        @Nullable Long retainedWalBytes,
    @JsonProperty
        @JsonPropertyDescription(
            "For how many seconds the slot has kept WAL and let none go; with several shards the"
                + " most.")
        @Nullable Long retainedWalSeconds,
    @JsonProperty
        @JsonPropertyDescription("How much of the primary's data has been copied, in bytes.")
        @Nullable Long copiedBytes,
    @JsonProperty @JsonPropertyDescription("Size of the layers in the object store, in bytes.")
        @Nullable Long layerBytes,
    @JsonProperty
        @JsonPropertyDescription(
            "When LSNs, lag and sizes were read from the pageserver, RFC 3339 in UTC. They are"
                + " renewed when something else changes, or once in a while.")
        @Nullable String measuredAt,
    @JsonProperty @JsonPropertyDescription("How each shard is attached.")
        @Nullable List<ShardAttachment> shards) {}
