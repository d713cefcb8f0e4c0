package dev.varve.crd;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import org.jspecify.annotations.Nullable;

/** How one shard of a timeline is attached: written before the pageserver is told. */
public record ShardAttachment(
    @JsonProperty @JsonPropertyDescription("The shard's number, from 0.") int shard,
    @JsonProperty @JsonPropertyDescription("The pageserver's pod.") String pod,
    @JsonProperty @JsonPropertyDescription("The pod's uid.") String podUid,
    @JsonProperty
        @JsonPropertyDescription(
            "Raised before every attachment. Of two pageservers that both hold the timeline the one"
                + " with the lower generation can write nothing.")
        int generation,
    @JsonProperty
        @JsonPropertyDescription(
            "A digest of what the pageserver was told: the source with its password, and the token.")
        String settings,
    @JsonProperty
        @JsonPropertyDescription(
            "What the pageserver says of it: Attaching, Loading, Copying, CatchingUp, Active,"
                + " SourceFailing, HandedOver or Broken.")
        String state,
    @JsonProperty
        @JsonPropertyDescription(
            "Since when the Service leads to this attachment, RFC 3339 in UTC. Absent: it does not"
                + " yet, another pageserver may serve the shard until then.")
        @Nullable String servingSince) {}
