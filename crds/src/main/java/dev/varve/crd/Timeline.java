package dev.varve.crd;

import com.fasterxml.jackson.databind.annotation.JsonDeserialize;
import io.fabric8.crd.generator.annotation.AdditionalPrinterColumn;
import io.fabric8.generator.annotation.ValidationRule;
import io.fabric8.kubernetes.api.model.Namespaced;
import io.fabric8.kubernetes.client.CustomResource;
import io.fabric8.kubernetes.model.annotation.Group;
import io.fabric8.kubernetes.model.annotation.ShortNames;
import io.fabric8.kubernetes.model.annotation.Version;
import org.jspecify.annotations.Nullable;

/**
 * One history of one database cluster, which computes in its namespace start from. What an object
 * that is older than a rule says wrong keeps nobody from removing its finalizer: rules of the whole
 * object speak of new ones only, and others are not looked at where nothing changed.
 */
@Group("varve.dev")
@Version("v1alpha1")
@ShortNames("vtl")
@AdditionalPrinterColumn(
    name = "Tenant",
    jsonPath = ".spec.tenant",
    type = AdditionalPrinterColumn.Type.STRING)
@AdditionalPrinterColumn(
    name = "Ready",
    jsonPath = ".status.conditions[?(@.type=='Ready')].status",
    type = AdditionalPrinterColumn.Type.STRING)
@AdditionalPrinterColumn(
    name = "Reason",
    jsonPath = ".status.conditions[?(@.type=='Ready')].reason",
    type = AdditionalPrinterColumn.Type.STRING)
@AdditionalPrinterColumn(
    name = "Source",
    jsonPath = ".status.conditions[?(@.type=='SourceReachable')].reason",
    type = AdditionalPrinterColumn.Type.STRING)
@AdditionalPrinterColumn(
    name = "PostgreSQL",
    jsonPath = ".status.postgresMajor",
    type = AdditionalPrinterColumn.Type.INTEGER)
@AdditionalPrinterColumn(
    name = "Published",
    jsonPath = ".status.publishedLsn",
    type = AdditionalPrinterColumn.Type.STRING,
    priority = 1)
@AdditionalPrinterColumn(
    name = "Lag",
    jsonPath = ".status.lagBytes",
    type = AdditionalPrinterColumn.Type.INTEGER,
    priority = 1)
@AdditionalPrinterColumn(
    name = "Retained",
    jsonPath = ".status.retainedWalBytes",
    type = AdditionalPrinterColumn.Type.INTEGER,
    priority = 1)
@AdditionalPrinterColumn(
    name = "Store",
    jsonPath = ".status.conditions[?(@.type=='StoreReachable')].reason",
    type = AdditionalPrinterColumn.Type.STRING,
    priority = 1)
@AdditionalPrinterColumn(
    name = "Pageserver",
    jsonPath = ".status.shards[*].pod",
    type = AdditionalPrinterColumn.Type.STRING,
    priority = 1)
@AdditionalPrinterColumn(
    name = "Address",
    jsonPath = ".status.address",
    type = AdditionalPrinterColumn.Type.STRING,
    priority = 1)
@AdditionalPrinterColumn(
    name = "Age",
    jsonPath = ".metadata.creationTimestamp",
    type = AdditionalPrinterColumn.Type.DATE)
@ValidationRule(
    value =
        "oldSelf.hasValue() || (self.metadata.name.size() <= "
            + Syntax.MAX_TIMELINE_CHARACTERS
            + " && !self.metadata.name.contains('.'))",
    optionalOldSelf = true,
    message =
        "a timeline's name is part of its Service's: choose one of at most 57 characters without"
            + " dots")
@ValidationRule(
    value = "has(self.spec) || (oldSelf.hasValue() && !has(oldSelf.value().spec))",
    optionalOldSelf = true,
    message = "a timeline belongs to a tenant: give it a spec with the name of one in spec.tenant")
@SuppressWarnings("serial")
public final class Timeline extends CustomResource<TimelineSpec, TimelineStatus>
    implements Namespaced {
  @Override
  @SuppressWarnings("NullAway") // The API server sees to it that there is one.
  protected @Nullable TimelineSpec initSpec() {
    return null;
  }

  @Override
  @JsonDeserialize(using = TimelineSpecReader.class)
  public void setSpec(TimelineSpec spec) {
    super.setSpec(spec);
  }

  @Override
  @SuppressWarnings("NullAway") // No status until the operator has seen it.
  protected @Nullable TimelineStatus initStatus() {
    return null;
  }
}
