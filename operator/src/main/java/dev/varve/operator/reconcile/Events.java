package dev.varve.operator.reconcile;

import dev.varve.operator.plan.Notice;
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

/** Writes notices as events. An event that cannot be written is logged and forgotten. */
final class Events {
  private static final Logger LOG = LoggerFactory.getLogger(Events.class);
  private static final int MAX_MESSAGE_CHARACTERS = 1000;

  private final KubernetesClient client;

  Events(KubernetesClient client) {
    this.client = client;
  }

  void write(HasMetadata about, List<Notice> notices) {
    for (Notice notice : notices) {
      write(about, notice);
    }
  }

  void write(HasMetadata about, Notice notice) {
    LOG.info(
        "{} {}/{}: {}: {}",
        about.getKind(),
        about.getMetadata().getNamespace(),
        about.getMetadata().getName(),
        notice.reason(),
        notice.message());
    try {
      client.resource(event(about, notice)).create();
    } catch (KubernetesClientException e) {
      if (!Conflict.isNamespaceGoing(e)) {
        LOG.info("event not written: {}", e.getMessage());
      }
    }
  }

  private static Event event(HasMetadata about, Notice notice) {
    String now = Instant.now().truncatedTo(ChronoUnit.SECONDS).toString();
    String message = notice.message();
    return new EventBuilder()
        .withNewMetadata()
        .withGenerateName(about.getMetadata().getName() + ".")
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
}
