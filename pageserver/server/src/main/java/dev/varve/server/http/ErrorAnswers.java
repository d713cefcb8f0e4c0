package dev.varve.server.http;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.databind.exc.MismatchedInputException;
import dev.varve.engine.PageserverException;
import dev.varve.engine.store.FailureText;
import jakarta.ws.rs.WebApplicationException;
import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.core.Response;
import jakarta.ws.rs.core.UriInfo;
import java.io.UncheckedIOException;
import java.util.Map;
import org.jboss.resteasy.reactive.server.ServerExceptionMapper;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Every failed request's status, and what was wrong and what to do as {@code {"error": …}}. */
public class ErrorAnswers {
  private static final Logger LOG = LoggerFactory.getLogger(ErrorAnswers.class);
  private static final String PLACES =
      "timelines are listed at /api/v1/timelines (GET), each is at"
          + " /api/v1/timelines/TENANT/TIMELINE (GET, PUT, DELETE)";

  /** What the engine and the attachments refuse. */
  @ServerExceptionMapper
  public Response known(PageserverException e) {
    return answer(status(e), FailureText.of(e));
  }

  static int status(PageserverException e) {
    return switch (e) {
      case PageserverException.InvalidRequest _ -> 400;
      case PageserverException.Unauthenticated _ -> 401;
      case PageserverException.NotFound _ -> 404;
      case PageserverException.Fenced _, PageserverException.NotHere _ -> 409;
      case PageserverException.LsnCollected _ -> 410;
      case PageserverException.LayoutDiffers _ -> 412;
      case PageserverException.LsnNotReceived _, PageserverException.Unavailable _ -> 503;
      case PageserverException.Corrupt _ -> 500;
      case PageserverException.TooNew _, PageserverException.TooOld _ -> 501;
    };
  }

  /** JSON that is no attach request. */
  @ServerExceptionMapper
  public Response mismatched(MismatchedInputException e) {
    return notJson(e);
  }

  /** What the framework refuses: places, methods and bodies that there are not. */
  @ServerExceptionMapper
  public Response refused(WebApplicationException e, UriInfo uri) {
    int status = e.getResponse().getStatus();
    if (e.getCause() instanceof JacksonException json) {
      return notJson(json);
    }
    String place = "/" + uri.getPath().replaceFirst("^/", "");
    return answer(
        status,
        switch (status) {
          case 404 -> "there is nothing at " + place + ": " + PLACES;
          case 405 -> "this is not to be done at " + place + ": " + PLACES;
          case 406 -> "answers are JSON: accept application/json";
          case 415 -> "the body is not said to be JSON: send Content-Type: application/json";
          default -> "the request is refused: " + FailureText.of(e);
        });
  }

  /** Disk or object store, where nobody said it better. */
  @ServerExceptionMapper
  public Response storage(UncheckedIOException e) {
    return answer(503, FailureText.of(e) + "; try again when that is mended");
  }

  /** What nobody foresaw: the caller cannot do anything about it, the log has all of it. */
  @ServerExceptionMapper
  public Response unforeseen(Throwable e) {
    LOG.error("request failed", e);
    return answer(
        500,
        "an error of the pageserver itself ("
            + e.getClass().getSimpleName()
            + ": "
            + FailureText.of(e)
            + "): its log has the rest; please report it");
  }

  private static Response notJson(JacksonException e) {
    return answer(
        400,
        "the body is no attach request: "
            + e.getOriginalMessage()
            + "; send {} or {\"primary\": {\"host\": …, \"user\": …}}");
  }

  private static Response answer(int status, String error) {
    return Response.status(status)
        .type(MediaType.APPLICATION_JSON)
        .entity(Map.of("error", error))
        .build();
  }
}
