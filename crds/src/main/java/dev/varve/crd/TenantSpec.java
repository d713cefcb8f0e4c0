package dev.varve.crd;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.generator.annotation.Default;
import io.fabric8.generator.annotation.Max;
import io.fabric8.generator.annotation.Min;
import io.fabric8.generator.annotation.ValidationRule;
import org.jspecify.annotations.Nullable;

/** What a person wants of a tenant. */
@ValidationRule(
    value =
        "(has(self.shards) ? self.shards : 1)" + " == (has(oldSelf.shards) ? oldSelf.shards : 1)",
    message =
        "shards is fixed once set, and 1 where it was left out: create another Tenant and move the"
            + " sources to Timelines of it")
@ValidationRule(
    value =
        "(has(self.stripe) ? self.stripe : 2048)"
            + " == (has(oldSelf.stripe) ? oldSelf.stripe : 2048)",
    message =
        "stripe is fixed once set, and 2048 where it was left out: create another Tenant and move"
            + " the sources to Timelines of it")
@JsonInclude(JsonInclude.Include.NON_NULL)
public record TenantSpec(
    @JsonProperty
        @JsonPropertyDescription(
            "How many shards the tenant's pages are striped over. Each shard is on a pageserver,"
                + " receives the whole WAL and keeps its stripes. Fixed once set.")
        @Default("1")
        @Min(1)
        @Max(64)
        @Nullable Integer shards,
    @JsonProperty
        @JsonPropertyDescription(
            "How many consecutive blocks of a relation stay together on one shard. Of no effect with"
                + " one shard. Fixed once set.")
        @Default("2048")
        @Min(1)
        @Max(131072)
        @Nullable Integer stripe,
    @JsonProperty
        @JsonPropertyDescription(
            "What the deletion of a Timeline does with its data, where the Timeline does not say."
                + " Delete: it drops the replication slot and removes the objects. Retain: it"
                + " drops the slot and keeps the objects; a Timeline that adopts the"
                + " timeline has them again.")
        @Default("Retain")
        @Nullable DeletionPolicy deletionPolicy,
    @JsonProperty @JsonPropertyDescription("Which pageservers may keep the tenant. Left out: any.")
        @Nullable Placement placement) {
  /**
   * Of a tenant whose spec is left out. It says nothing: the finalizer is applied together with it,
   * and any value here would be forced upon what a person wrote.
   */
  static final TenantSpec LEFT_OUT = new TenantSpec(null, null, null, null);

  /** In place of one that is not a spec by its types: see {@link TenantSpecReader}. */
  public static final TenantSpec UNREADABLE = new TenantSpec(0, 0, DeletionPolicy.Retain, null);
}
