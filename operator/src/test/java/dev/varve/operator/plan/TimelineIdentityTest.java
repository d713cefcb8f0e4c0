package dev.varve.operator.plan;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import dev.varve.crd.ShardAttachment;
import dev.varve.crd.Timeline;
import dev.varve.crd.TimelineSpec;
import io.fabric8.kubernetes.api.model.ObjectMetaBuilder;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Which of several Timelines has a timeline. */
final class TimelineIdentityTest {
  private static final String ID = "0123456789abcdef0123456789abcdef";

  private static Timeline adopting(String name, String uid, String created) {
    Timeline timeline = new Timeline();
    timeline.setMetadata(
        new ObjectMetaBuilder()
            .withNamespace("shop")
            .withName(name)
            .withUid(uid)
            .withCreationTimestamp(created)
            .build());
    timeline.setSpec(new TimelineSpec("acme", null, null, ID));
    return timeline;
  }

  private static void assertHolder(Timeline holder, Timeline other) {
    List<Timeline> all = List.of(other, holder);
    assertNull(TimelineIdentity.holderBefore(holder, all));
    assertEquals(holder, TimelineIdentity.holderBefore(other, all));
  }

  @Test
  void theOlderOneHasIt() {
    assertHolder(
        adopting("old", "b", "2026-01-01T12:00:00Z"), adopting("new", "a", "2026-01-01T12:00:01Z"));
    assertHolder(
        adopting("one", "a", "2026-01-01T12:00:00Z"), adopting("two", "b", "2026-01-01T12:00:00Z"));
  }

  @Test
  void theOneThatIsAttachedKeepsItFromOneOfTheSameSecond() {
    Timeline attached = adopting("old", "b", "2026-01-01T12:00:00Z");
    attached.setStatus(
        Measures.withShards(
            null,
            ID,
            null,
            List.of(new ShardAttachment(0, "ps-0", "uid-0", 2, "settings", "Active", null))));
    assertHolder(attached, adopting("thief", "a", "2026-01-01T12:00:00Z"));
  }
}
