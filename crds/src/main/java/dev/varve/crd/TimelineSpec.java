package dev.varve.crd;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.generator.annotation.Required;
import io.fabric8.generator.annotation.Size;
import io.fabric8.generator.annotation.ValidationRule;
import org.jspecify.annotations.Nullable;

/** What a person wants of a timeline. */
@ValidationRule(
    value = "!has(oldSelf.source) || has(self.source)",
    message =
        "source cannot be taken away, its slot would stay behind: delete the Timeline with"
            + " deletionPolicy Retain and create it again with adopt and without a source")
@ValidationRule(
    value =
        "has(self.adopt) == has(oldSelf.adopt)"
            + " && (!has(self.adopt) || self.adopt == oldSelf.adopt)",
    message = "adopt is fixed: create another Timeline to adopt another one")
@ValidationRule(
    value =
        "has(self.tenant) == has(oldSelf.tenant)"
            + " && (!has(self.tenant) || self.tenant == oldSelf.tenant)",
    message = "tenant is fixed once set: create another Timeline under the other tenant")
public record TimelineSpec(
    @JsonProperty
        @JsonPropertyDescription(
            "The Tenant that the timeline belongs to, in the same namespace. Fixed once set.")
        @Required
        @Size(min = 1, max = Syntax.MAX_TENANT_CHARACTERS)
        @ValidationRule(
            value = "self.matches('" + Syntax.NAME + "')",
            message =
                "tenant is the name of a Tenant in this namespace: lower-case letters, digits and"
                    + " '-', which begins and ends with a letter or digit")
        String tenant,
    @JsonProperty
        @JsonPropertyDescription(
            "Where the WAL comes from. Left out: the timeline serves what the object store holds"
                + " of the one that it adopts, and receives nothing.")
        @Nullable Source source,
    @JsonProperty
        @JsonPropertyDescription(
            "What the deletion of the Timeline does with its data: Delete or Retain, see Tenant."
                + " Left out: the Tenant's policy counts.")
        @Nullable DeletionPolicy deletionPolicy,
    @JsonProperty
        @JsonPropertyDescription(
            "The id of a timeline that was retained, from retainedTimelines in the Tenant's status:"
                + " the Timeline serves that one and, with a source, goes on from its end. Left"
                + " out: a new one, copied from its source. Fixed at creation.")
        @Size(min = 32, max = 32)
        @ValidationRule(
            value = "self.matches('" + Syntax.TIMELINE_ID + "')",
            message =
                "adopt is the id of a retained timeline: the 32 digits that the Tenant's status"
                    + " shows in retainedTimelines")
        @Nullable String adopt) {
  /** One that adopts none. */
  public TimelineSpec(
      String tenant, @Nullable Source source, @Nullable DeletionPolicy deletionPolicy) {
    this(tenant, source, deletionPolicy, null);
  }
}
