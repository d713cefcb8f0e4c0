package dev.varve.crd;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What the operator knows of a tenant. */
public record TenantStatus(
    @JsonProperty
        @JsonPropertyDescription("The metadata.generation of the spec that this status speaks of.")
        @Nullable Long observedGeneration,
    @JsonProperty
        @JsonPropertyDescription(
            "Ready: a ready pageserver keeps every shard and the token Secret exists."
                + " StoreReachable: nothing fails at the object store for any of its Timelines.")
        @Nullable List<Condition> conditions,
    @JsonProperty
        @JsonPropertyDescription(
            "The tenant's name on the pageservers and in the object store: NAMESPACE.NAME.")
        @Nullable String tenantId,
    @JsonProperty
        @JsonPropertyDescription(
            "The Secret whose key 'token' a client must show to read this tenant's timelines."
                + " Delete the Secret to have a new token made.")
        @Nullable String tokenSecret,
    @JsonProperty @JsonPropertyDescription("How many Timelines name this tenant.")
        @Nullable Integer timelines,
    @JsonProperty @JsonPropertyDescription("Where each shard is.")
        @Nullable List<ShardPlacement> shards,
    @JsonProperty
        @JsonPropertyDescription(
            "What the object store holds of timelines that no Timeline has any more: adopted by"
                + " spec.adopt of a new one.")
        @Nullable List<RetainedTimeline> retainedTimelines) {
  /** The same with other retained timelines. */
  public TenantStatus withRetained(@Nullable List<RetainedTimeline> retained) {
    return new TenantStatus(
        observedGeneration, conditions, tenantId, tokenSecret, timelines, shards, retained);
  }
}
