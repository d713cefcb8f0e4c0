package dev.varve.crd;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import org.jspecify.annotations.Nullable;

/** One statement about a resource, in the form that {@code kubectl wait} understands. */
public record Condition(
    @JsonProperty @JsonPropertyDescription("What the statement is about, such as Ready.")
        String type,
    @JsonProperty @JsonPropertyDescription("True, False or Unknown.") String status,
    @JsonProperty @JsonPropertyDescription("Why, in one word for programs.") String reason,
    @JsonProperty @JsonPropertyDescription("Why, and what to do about it.") String message,
    @JsonProperty @JsonPropertyDescription("When the status last changed, RFC 3339 in UTC.")
        String lastTransitionTime,
    @JsonProperty
        @JsonPropertyDescription("The metadata.generation that the statement was made for.")
        @Nullable Long observedGeneration) {}
