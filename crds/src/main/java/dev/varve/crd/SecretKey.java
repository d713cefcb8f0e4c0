package dev.varve.crd;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.generator.annotation.Default;
import io.fabric8.generator.annotation.Required;
import io.fabric8.generator.annotation.Size;
import io.fabric8.generator.annotation.ValidationRule;

/** One key of a Secret in the resource's namespace. */
public record SecretKey(
    @JsonProperty
        @JsonPropertyDescription("The Secret's name, in the same namespace.")
        @Required
        @Size(min = 1, max = 253)
        @ValidationRule(
            value = "self.matches('" + Syntax.SECRET_NAME + "')",
            message =
                "name is the name of a Secret in this namespace: lower-case letters, digits, '-' and"
                    + " '.', which begins and ends with a letter or digit")
        String name,
    @JsonProperty
        @JsonPropertyDescription("The key in the Secret.")
        @Default("password")
        @Size(min = 1, max = 253)
        @ValidationRule(
            value = "self.matches('" + Syntax.SECRET_KEY + "')",
            message = "key is a key of that Secret: letters, digits, '-', '_' and '.'")
        String key) {}
