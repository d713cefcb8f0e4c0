package dev.varve.server.http;

import dev.varve.engine.PageserverException;
import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.core.Response;
import jakarta.ws.rs.ext.ExceptionMapper;
import jakarta.ws.rs.ext.Provider;
import java.util.Map;

/** Errors as HTTP statuses, with the message as {@code {"error": …}}. */
@Provider
public class PageserverExceptionMapper implements ExceptionMapper<PageserverException> {
  @Override
  public Response toResponse(PageserverException e) {
    return Response.status(status(e))
        .type(MediaType.APPLICATION_JSON)
        .entity(Map.of("error", String.valueOf(e.getMessage())))
        .build();
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
    };
  }
}
