package dev.varve.operator.plan;

import dev.varve.crd.TenantStatus;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What is to be done about a tenant.
 *
 * @param makeToken its token Secret is missing
 * @param again when to look again at the latest; null: when something changes
 */
public record TenantPlan(
    TenantStatus status, boolean makeToken, List<Notice> notices, @Nullable Duration again) {}
