package dev.varve.server.http;

import dev.varve.server.attachment.Token;
import dev.varve.server.config.ServerConfig;
import jakarta.enterprise.inject.Instance;
import jakarta.ws.rs.container.ContainerRequestContext;
import jakarta.ws.rs.container.ContainerRequestFilter;
import jakarta.ws.rs.core.HttpHeaders;
import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.core.Response;
import jakarta.ws.rs.ext.Provider;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Lets nobody at the resources who does not show the management token, if there is one. */
@Provider
public class ManagementFilter implements ContainerRequestFilter {
  private static final String SCHEME = "Bearer ";

  private final Instance<ServerConfig> config;

  /** The configuration is not there yet when this is made, which is while the program is built. */
  public ManagementFilter(Instance<ServerConfig> config) {
    this.config = config;
  }

  @Override
  public void filter(ContainerRequestContext request) {
    @Nullable Token wanted = config.get().management().token().map(Token::of).orElse(null);
    String value = request.getHeaderString(HttpHeaders.AUTHORIZATION);
    Token shown =
        value != null && value.startsWith(SCHEME)
            ? Token.of(value.substring(SCHEME.length()).strip())
            : null;
    if (wanted != null && !wanted.equals(shown)) {
      request.abortWith(
          Response.status(Response.Status.UNAUTHORIZED)
              .type(MediaType.APPLICATION_JSON)
              .entity(Map.of("error", "send the management token as authorization: Bearer TOKEN"))
              .build());
    }
  }
}
