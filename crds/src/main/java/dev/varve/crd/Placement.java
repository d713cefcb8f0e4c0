package dev.varve.crd;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.generator.annotation.ValidationRule;
import java.util.Map;

/** Which pageservers may keep a tenant. */
public record Placement(
    @JsonProperty
        @JsonPropertyDescription(
            "A pageserver may keep the tenant when its pod has all of these labels. To choose"
                + " between kinds of nodes, run a StatefulSet of pageservers for each and label"
                + " its pods. A tenant moves when the pod that keeps it does not match any more.")
        @ValidationRule(
            value =
                "self.all(k, k.size() <= 317 && k.matches('"
                    + Syntax.LABEL_KEY
                    + "') && self[k].matches('"
                    + Syntax.LABEL_TEXT
                    + "'))",
            message =
                "pageserverLabels are labels of pods: keys such as example.org/disk, values of at"
                    + " most 63 letters, digits, '-', '_' and '.'")
        Map<String, String> pageserverLabels) {}
