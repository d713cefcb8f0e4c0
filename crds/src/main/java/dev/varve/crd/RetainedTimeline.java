package dev.varve.crd;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import org.jspecify.annotations.Nullable;

/** A timeline that the object store holds and no Timeline has. */
public record RetainedTimeline(
    @JsonProperty
        @JsonPropertyDescription("Its id: what spec.adopt of a Timeline names to have it back.")
        String id,
    @JsonProperty @JsonPropertyDescription("The name of the Timeline that had it last.")
        String name,
    @JsonProperty
        @JsonPropertyDescription(
            "When that Timeline was deleted, RFC 3339 in UTC; missing where no pageserver was"
                + " there to write it down.")
        @Nullable String deletedAt,
    @JsonProperty
        @JsonPropertyDescription("Up to where it can be read; missing when nothing was published.")
        @Nullable String publishedLsn,
    @JsonProperty
        @JsonPropertyDescription("The database cluster's system identifier, as pg_control has it.")
        @Nullable String systemIdentifier,
    @JsonProperty @JsonPropertyDescription("Size of its layers in the object store, in bytes.")
        long layerBytes) {}
