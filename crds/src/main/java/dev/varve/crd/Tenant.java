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
 * The owner of timelines: which pageservers keep them, and the token that reads them. The spec may
 * be left out as a whole.
 */
@Group("varve.dev")
@Version("v1alpha1")
@ShortNames("vtenant")
@AdditionalPrinterColumn(
    name = "Ready",
    jsonPath = ".status.conditions[?(@.type=='Ready')].status",
    type = AdditionalPrinterColumn.Type.STRING)
@AdditionalPrinterColumn(
    name = "Reason",
    jsonPath = ".status.conditions[?(@.type=='Ready')].reason",
    type = AdditionalPrinterColumn.Type.STRING)
@AdditionalPrinterColumn(
    name = "Store",
    jsonPath = ".status.conditions[?(@.type=='StoreReachable')].reason",
    type = AdditionalPrinterColumn.Type.STRING,
    priority = 1)
@AdditionalPrinterColumn(
    name = "Pageserver",
    jsonPath = ".status.shards[*].pod",
    type = AdditionalPrinterColumn.Type.STRING)
@AdditionalPrinterColumn(
    name = "Timelines",
    jsonPath = ".status.timelines",
    type = AdditionalPrinterColumn.Type.INTEGER)
@AdditionalPrinterColumn(
    name = "Age",
    jsonPath = ".metadata.creationTimestamp",
    type = AdditionalPrinterColumn.Type.DATE)
@ValidationRule(
    value =
        "oldSelf.hasValue() || (self.metadata.name.size() <= "
            + Syntax.MAX_TENANT_CHARACTERS
            + " && !self.metadata.name.contains('.'))",
    optionalOldSelf = true,
    message =
        "a tenant's name is part of its Secret's: choose one of at most 51 characters without dots")
@SuppressWarnings("serial")
public final class Tenant extends CustomResource<TenantSpec, TenantStatus> implements Namespaced {
  @Override
  protected TenantSpec initSpec() {
    return TenantSpec.LEFT_OUT;
  }

  @Override
  @JsonDeserialize(using = TenantSpecReader.class)
  public void setSpec(TenantSpec spec) {
    super.setSpec(spec);
  }

  @Override
  @SuppressWarnings("NullAway") // No status until the operator has seen it.
  protected @Nullable TenantStatus initStatus() {
    return null;
  }
}
