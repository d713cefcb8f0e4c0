package dev.varve.crd;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;

/** Where one shard of a tenant is. */
public record ShardPlacement(
    @JsonProperty @JsonPropertyDescription("The shard's number, from 0.") int shard,
    @JsonProperty @JsonPropertyDescription("The pageserver's pod.") String pod,
    @JsonProperty
        @JsonPropertyDescription(
            "The pod's uid: a pod that was made anew under the same name has an empty disk.")
        String podUid,
    @JsonProperty @JsonPropertyDescription("The node that the pod runs on.") String node,
    @JsonProperty
        @JsonPropertyDescription(
            "How often the shard was placed, this time included. Attachments have generations of"
                + " their own, see the Timelines' status.")
        int placements,
    @JsonProperty
        @JsonPropertyDescription(
            "Serving: the pod is ready. Waiting: it is not, and is given time to come back.")
        State state) {
  /** Whether the pod answers. The names are the API's. */
  public enum State {
    Serving,
    Waiting
  }
}
