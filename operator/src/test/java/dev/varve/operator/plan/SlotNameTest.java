package dev.varve.operator.plan;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.crd.PrimarySource;
import dev.varve.crd.ShardAttachment;
import dev.varve.crd.Source;
import dev.varve.crd.SslMode;
import dev.varve.crd.Timeline;
import dev.varve.crd.TimelineSpec;
import io.fabric8.kubernetes.api.model.ObjectMetaBuilder;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** Two Timelines never have one slot, and none loses its own. */
final class SlotNameTest {
  private static Timeline timeline(
      String namespace, String name, String uid, @Nullable String slot) {
    Timeline timeline = new Timeline();
    timeline.setMetadata(
        new ObjectMetaBuilder().withNamespace(namespace).withName(name).withUid(uid).build());
    timeline.setSpec(
        new TimelineSpec(
            "acme",
            new Source(
                new PrimarySource(
                    "db", null, "varve", null, null, SslMode.DISABLE, slot, null, null, null)),
            null));
    return timeline;
  }

  @Test
  void namesThatReadAlikeAreTwo() {
    String one = SlotName.of(timeline("nnx", "a-b", "uid-1", null));
    String other = SlotName.of(timeline("nnx-a", "b", "uid-2", null));
    assertTrue(one.matches("varve_nnx_a_b_[0-9a-f]{10}"), one);
    assertTrue(other.matches("varve_nnx_a_b_[0-9a-f]{10}"), other);
    assertNotEquals(one, other);
    assertNotEquals(one, SlotName.of(timeline("nnx", "a-b", "uid-3", null)), "made again");
  }

  @Test
  void aShardsSlotFitsPostgres() {
    String slot = SlotName.of(timeline("n".repeat(63), "t".repeat(57), "uid", null));
    assertEquals(60, slot.length());
    assertTrue((slot + "_63").matches("[a-z0-9_]{1,63}"), slot);
  }

  @Test
  void whatIsInUseStays() {
    Timeline old = timeline("shop", "orders", "uid", null);
    ShardAttachment attachment = new ShardAttachment(0, "ps-0", "uid-0", 3, "", "Active", null);
    old.setStatus(Measures.none(1L, List.of(), "", "", null, List.of(attachment)));
    assertEquals("varve_shop_orders", SlotName.of(old));
    old.setStatus(Measures.none(1L, List.of(), "", "", "varve_shop_orders_0a1b2c3d4e", List.of()));
    assertEquals("varve_shop_orders_0a1b2c3d4e", SlotName.of(old));
    assertEquals("mine", SlotName.of(timeline("shop", "orders", "uid", "mine")));
  }
}
