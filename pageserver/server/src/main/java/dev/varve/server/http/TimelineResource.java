package dev.varve.server.http;

import dev.varve.engine.PageserverException.InvalidRequest;
import dev.varve.engine.tenant.TimelineName;
import dev.varve.server.attachment.AttachTarget;
import dev.varve.server.attachment.Attachments;
import dev.varve.server.attachment.Tenure;
import io.smallrye.common.annotation.RunOnVirtualThread;
import jakarta.ws.rs.DELETE;
import jakarta.ws.rs.DefaultValue;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.PUT;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.PathParam;
import jakarta.ws.rs.Produces;
import jakarta.ws.rs.QueryParam;
import jakarta.ws.rs.core.MediaType;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** {@code /api/v1/timelines}: what the management service does, for people and scripts. */
@Path("/api/v1/timelines")
@Produces(MediaType.APPLICATION_JSON)
@RunOnVirtualThread
public class TimelineResource {
  private final Attachments attachments;

  public TimelineResource(Attachments attachments) {
    this.attachments = attachments;
  }

  @GET
  public List<TimelineView> list() {
    return attachments.list().stream().map(a -> TimelineView.of(a.report())).toList();
  }

  @GET
  @Path("/{tenant}/{timeline}")
  public TimelineView get(
      @PathParam("tenant") String tenant, @PathParam("timeline") String timeline) {
    return TimelineView.of(attachments.get(new TimelineName(tenant, timeline)).report());
  }

  /**
   * Attaches; the answer comes when the attachment is committed, the copy goes on in the
   * background.
   */
  @PUT
  @Path("/{tenant}/{timeline}")
  public TimelineView attach(
      @PathParam("tenant") String tenant,
      @PathParam("timeline") String timeline,
      @Nullable AttachBody body) {
    TimelineName id = new TimelineName(tenant, timeline);
    attachments.attach(
        id,
        body == null ? AttachTarget.BY_NAME : body.target(),
        body == null ? null : body.source(id),
        Tenure.OWN);
    return TimelineView.of(attachments.get(id).report());
  }

  /**
   * Detaches; with {@code deleteObjects} also removes what the object store holds, which frees the
   * name of a timeline that cannot be loaded any more.
   */
  @DELETE
  @Path("/{tenant}/{timeline}")
  public void detach(
      @PathParam("tenant") String tenant,
      @PathParam("timeline") String timeline,
      @QueryParam("dropSlot") @DefaultValue("false") String dropSlot,
      @QueryParam("deleteObjects") @DefaultValue("false") String deleteObjects) {
    TimelineName id = new TimelineName(tenant, timeline);
    boolean drops = flag("dropSlot", dropSlot);
    if (flag("deleteObjects", deleteObjects)) {
      attachments.delete(id, null, drops, null);
    } else {
      attachments.detach(id, drops);
    }
  }

  private static boolean flag(String name, String value) {
    if (!value.equals("true") && !value.equals("false")) {
      throw new InvalidRequest(name + " is '" + value + "'; expected true or false");
    }
    return value.equals("true");
  }
}
