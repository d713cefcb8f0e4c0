package dev.varve.crd;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.generator.annotation.Default;
import io.fabric8.generator.annotation.Required;
import io.fabric8.generator.annotation.Size;

/** One key of a Secret in the resource's namespace. */
public record SecretKey(
    @JsonProperty
        @JsonPropertyDescription("The Secret's name, in the same namespace.")
        @Required
        @Size(min = 1, max = 253)
        String name,
    @JsonProperty
        @JsonPropertyDescription("The key in it.")
        @Default("password")
        @Size(min = 1, max = 253)
        String key) {}
