/**
 * What is to be done, as pure functions of what was seen: {@link
 * dev.varve.operator.plan.TenantPlanner} places shards on pageservers, {@link
 * dev.varve.operator.plan.TimelinePlanner} attaches timelines there and says how they are. No I/O,
 * no clock.
 */
@NullMarked
package dev.varve.operator.plan;

import org.jspecify.annotations.NullMarked;
