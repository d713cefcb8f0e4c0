package dev.varve.crd;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import java.util.Map;

/** Which pageservers may keep a tenant. */
public record Placement(
    @JsonProperty
        @JsonPropertyDescription(
            "Labels that a pageserver's pod must have, all of them. Run a StatefulSet of"
                + " pageservers for each kind of node and label its pods to choose between them. A"
                + " tenant moves when the pod that keeps it does not match any more.")
        Map<String, String> pageserverLabels) {}
