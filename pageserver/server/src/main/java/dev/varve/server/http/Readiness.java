package dev.varve.server.http;

import dev.varve.engine.store.FailureText;
import dev.varve.engine.store.ObjectStore;
import dev.varve.engine.store.StoreDeadline;
import dev.varve.engine.store.StoreFailure;
import dev.varve.server.attachment.Attachment;
import dev.varve.server.attachment.AttachmentState;
import dev.varve.server.attachment.Attachments;
import jakarta.enterprise.context.ApplicationScoped;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.stream.Collectors;
import org.eclipse.microprofile.health.HealthCheck;
import org.eclipse.microprofile.health.HealthCheckResponse;
import org.eclipse.microprofile.health.HealthCheckResponseBuilder;
import org.jspecify.annotations.Nullable;

/**
 * Ready: the object store has answered, and each attached timeline was loaded or is known to be
 * failing. Neither a timeline nor an object store that fails later makes the pageserver unready:
 * what is in memory and on the local disk is served, and taking all pageservers out of service
 * would make a small outage a large one. The answer names the failure all the same. One that is
 * about to stop is not ready, though it serves on until its timelines have moved.
 */
@org.eclipse.microprofile.health.Readiness
@ApplicationScoped
public class Readiness implements HealthCheck {
  private static final Duration STORE_TIMEOUT = Duration.ofSeconds(2);

  private final ObjectStore store;
  private final Attachments attachments;
  private volatile boolean storeAnswered;

  public Readiness(ObjectStore store, Attachments attachments) {
    this.store = store;
    this.attachments = attachments;
  }

  @Override
  public HealthCheckResponse call() {
    List<String> loading =
        attachments.list().stream()
            .filter(a -> !a.isSettled())
            .map(Attachment::id)
            .map(Object::toString)
            .toList();
    HealthCheckResponseBuilder answer =
        HealthCheckResponse.named("pageserver").withData("timelines", attachments.list().size());
    if (!loading.isEmpty()) {
      answer.withData("loading", String.join(" ", loading));
    }
    // It says so and stays ready: the other timelines are served.
    String broken =
        attachments.list().stream()
            .filter(a -> a.report().state() == AttachmentState.BROKEN)
            .map(a -> a.id().toString())
            .collect(Collectors.joining(" "));
    if (!broken.isEmpty()) {
      answer.withData("broken", broken);
    }
    if (attachments.isDraining()) {
      answer.withData("stopping", true);
    }
    String failure = storeFailure();
    if (failure != null) {
      answer.withData("objectStore", failure);
    }
    return answer.status(loading.isEmpty() && storeAnswered && !attachments.isDraining()).build();
  }

  /** Asks for no longer than whoever asks this waits; what fails since then is known already. */
  private @Nullable String storeFailure() {
    return StoreDeadline.after(STORE_TIMEOUT)
        .call(() -> {
          try {
            attachments.askStore();
            storeAnswered = true;
            StoreFailure failing = store.failure("");
            return failing == null ? null : failing.text();
          } catch (IOException e) {
            return FailureText.of(e);
          }
        });
  }
}
