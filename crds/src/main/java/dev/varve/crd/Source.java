package dev.varve.crd;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.generator.annotation.Required;

/** Where a timeline's WAL comes from. */
public record Source(
    @JsonProperty
        @JsonPropertyDescription(
            "A running PostgreSQL server, a primary or a standby. A pageserver copies its data"
                + " once, then receives its WAL through a replication slot.")
        @Required
        PrimarySource primary) {
  /** In place of one that is not a source by its types: see {@link TimelineSpecReader}. */
  public static final Source UNREADABLE =
      new Source(new PrimarySource("", 0, "", null, "", SslMode.PREFER, null, null, null, null));
}
