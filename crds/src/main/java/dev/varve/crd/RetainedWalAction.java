package dev.varve.crd;

import com.fasterxml.jackson.annotation.JsonProperty;

/** What happens when a primary keeps more WAL for a timeline than it may be made to. */
public enum RetainedWalAction {
  /** The status says so. */
  @JsonProperty("Retain")
  RETAIN,
  /** The slot is dropped and the timeline receives no more. */
  @JsonProperty("DropSlot")
  DROP_SLOT
}
