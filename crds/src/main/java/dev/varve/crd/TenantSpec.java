package dev.varve.crd;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.generator.annotation.Default;
import io.fabric8.generator.annotation.ValidationRule;
import org.jspecify.annotations.Nullable;

/** What a person wants of a tenant. */
@ValidationRule(
    value = "!has(self.shards) || self.shards == 1",
    message = "this version keeps a tenant on one pageserver: set shards to 1 or leave it out")
public record TenantSpec(
    @JsonProperty
        @JsonPropertyDescription(
            "How many shards the tenant's pages are striped over. This version keeps a tenant whole"
                + " on one pageserver: 1 is the only value. Fixed once set.")
        @Default("1")
        Integer shards,
    @JsonProperty
        @JsonPropertyDescription(
            "What happens to the data of a Timeline that is deleted and does not say so itself."
                + " Delete: its replication slot is dropped and its objects are removed. Retain: the"
                + " slot is dropped, the objects stay and can be attached again by a Timeline of the"
                + " same name.")
        @Default("Retain")
        DeletionPolicy deletionPolicy,
    @JsonProperty @JsonPropertyDescription("Which pageservers may keep the tenant. Left out: any.")
        @Nullable Placement placement) {
  static final TenantSpec DEFAULT = new TenantSpec(1, DeletionPolicy.Retain, null);
}
