package dev.varve.operator.reconcile;

import dev.varve.operator.plan.Notice;
import dev.varve.operator.plan.Sha256;
import dev.varve.operator.render.TimelineObjects;
import io.fabric8.kubernetes.api.model.Event;
import io.fabric8.kubernetes.api.model.EventBuilder;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Writes notices as events. What is said again of an object is one event with a count: a warning by
 * its reason, with the newest message, anything else by its message too. An event's name is made of
 * that, so that operators that follow each other go on counting. An event that cannot be written is
 * logged and forgotten.
 */
final class Events {
  private static final Logger LOG = LoggerFactory.getLogger(Events.class);
  private static final int MAX_MESSAGE_CHARACTERS = 1000;
  private static final int MAX_NAME_CHARACTERS = 200;
  private static final int HASH_BYTES = 8;

  private final KubernetesClient client;

  Events(KubernetesClient client) {
    this.client = client;
  }

  void write(HasMetadata about, List<Notice> notices) {
    for (Notice notice : notices) {
      boolean _ = write(about, notice);
    }
  }

  /** Whether it was written; nothing can be in a namespace that is being deleted. */
  boolean write(HasMetadata about, Notice notice) {
    LOG.info(
        "{} {}/{}: {}: {}",
        about.getKind(),
        about.getMetadata().getNamespace(),
        about.getMetadata().getName(),
        notice.reason(),
        notice.message());
    Event event = event(about, notice);
    try {
      try {
        client.resource(event).create();
      } catch (KubernetesClientException e) {
        if (!Conflict.isConflict(e)) {
          throw e;
        }
        Event _ =
            client
                .v1()
                .events()
                .inNamespace(event.getMetadata().getNamespace())
                .withName(event.getMetadata().getName())
                .edit(before -> again(before, event));
      }
      return true;
    } catch (KubernetesClientException e) {
      if (!Conflict.isNamespaceGoing(e)) {
        LOG.info("event not written: {}", e.getMessage());
      }
      return false;
    }
  }

  private static Event again(Event before, Event event) {
    Integer count = before.getCount();
    return new EventBuilder(before)
        .withMessage(event.getMessage())
        .withLastTimestamp(event.getLastTimestamp())
        .withCount(count == null ? 2 : count + 1)
        .build();
  }

  private static Event event(HasMetadata about, Notice notice) {
    String now = Instant.now().truncatedTo(ChronoUnit.SECONDS).toString();
    String message = notice.message();
    return new EventBuilder()
        .withNewMetadata()
        .withName(name(about, notice))
        .withNamespace(about.getMetadata().getNamespace())
        .endMetadata()
        .withNewInvolvedObject()
        .withApiVersion(about.getApiVersion())
        .withKind(about.getKind())
        .withNamespace(about.getMetadata().getNamespace())
        .withName(about.getMetadata().getName())
        .withUid(about.getMetadata().getUid())
        .endInvolvedObject()
        .withType(notice.warning() ? "Warning" : "Normal")
        .withReason(notice.reason())
        .withMessage(
            message.length() <= MAX_MESSAGE_CHARACTERS
                ? message
                : message.substring(0, MAX_MESSAGE_CHARACTERS))
        .withFirstTimestamp(now)
        .withLastTimestamp(now)
        .withCount(1)
        .withNewSource()
        .withComponent(TimelineObjects.MANAGER)
        .endSource()
        .build();
  }

  private static String name(HasMetadata about, Notice notice) {
    String series =
        String.join(
            "\0",
            about.getKind(),
            String.valueOf(about.getMetadata().getUid()),
            notice.reason(),
            notice.warning() ? "" : notice.message());
    String name = about.getMetadata().getName();
    String head =
        name.length() <= MAX_NAME_CHARACTERS ? name : name.substring(0, MAX_NAME_CHARACTERS);
    return head.replaceAll("[-.]+$", "") + "." + Sha256.hex(series, HASH_BYTES);
  }
}
