package dev.varve.operator.plan;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.crd.PrimarySource;
import dev.varve.crd.RetainedWalAction;
import dev.varve.crd.Source;
import dev.varve.crd.SslMode;
import dev.varve.crd.Timeline;
import dev.varve.crd.TimelineSpec;
import io.fabric8.kubernetes.api.model.ObjectMetaBuilder;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** What of a source its digest depends on. */
final class SourceAccessTest {
  private static Timeline timeline(
      @Nullable String maxRetainedWal, @Nullable RetainedWalAction action) {
    Timeline timeline = new Timeline();
    timeline.setMetadata(
        new ObjectMetaBuilder()
            .withNamespace("shop")
            .withName("orders")
            .withUid("0b1e9a52-7f6c-4a53-9d2b-3f0c8e3a5d11")
            .build());
    timeline.setSpec(
        new TimelineSpec(
            "acme",
            new Source(
                new PrimarySource(
                    "db",
                    null,
                    "varve",
                    null,
                    null,
                    SslMode.DISABLE,
                    null,
                    null,
                    maxRetainedWal,
                    action)),
            null));
    return timeline;
  }

  @Test
  void digestTellsWhatTheSourceMayCost() {
    SourceAccess bounded = SourceAccess.of(timeline("2Gi", RetainedWalAction.DROP_SLOT), "secret");
    assertEquals(2L << 30, bounded.maxRetainedWalBytes());
    assertTrue(bounded.dropsSlot());
    assertNotEquals(
        SourceAccess.of(timeline(null, null), "secret").digest("key"), bounded.digest("key"));
  }

  @Test
  void digestTellsNothingWithoutTheKey() {
    Timeline timeline = timeline(null, null);
    SourceAccess known = SourceAccess.of(timeline, "secret");
    assertNotEquals(known.digest("one"), known.digest("two"));
    assertEquals(known.digest("one"), known.digest("one"));
    assertFalse(known.toString().contains("secret"));
    assertEquals("db.shop.svc", known.host());
    assertEquals(SlotName.of(timeline), known.slot());
  }
}
