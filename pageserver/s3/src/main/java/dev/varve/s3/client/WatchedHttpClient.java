package dev.varve.s3.client;

import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import org.jspecify.annotations.Nullable;
import software.amazon.awssdk.http.AbortableInputStream;
import software.amazon.awssdk.http.ContentStreamProvider;
import software.amazon.awssdk.http.ExecutableHttpRequest;
import software.amazon.awssdk.http.HttpExecuteRequest;
import software.amazon.awssdk.http.HttpExecuteResponse;
import software.amazon.awssdk.http.SdkHttpClient;

/**
 * An HTTP client whose requests are under a {@link RequestWatch}, from connecting to the last byte.
 */
final class WatchedHttpClient implements SdkHttpClient {
  private final SdkHttpClient client;
  private final RequestWatch watch;

  WatchedHttpClient(SdkHttpClient client, RequestWatch watch) {
    this.client = client;
    this.watch = watch;
  }

  @Override
  public ExecutableHttpRequest prepareRequest(HttpExecuteRequest request) {
    return new Call(request);
  }

  @Override
  public String clientName() {
    return client.clientName();
  }

  @Override
  public void close() {
    client.close();
    watch.close();
  }

  /** One request. The body is read by the connection on the thread that called. */
  private final class Call implements ExecutableHttpRequest {
    private final HttpExecuteRequest request;
    private volatile boolean aborted;
    private volatile @Nullable ExecutableHttpRequest inner;

    Call(HttpExecuteRequest request) {
      this.request = request;
    }

    @Override
    public HttpExecuteResponse call() throws IOException {
      RequestWatch.Request mine = watch.begin(this::abort);
      HttpExecuteRequest.Builder counted =
          HttpExecuteRequest.builder().request(request.httpRequest());
      request
          .contentStreamProvider()
          .ifPresent(provider -> counted.contentStreamProvider(new Body(provider, mine)));
      request.metricCollector().ifPresent(counted::metricCollector);
      ExecutableHttpRequest call = client.prepareRequest(counted.build());
      inner = call;
      if (aborted) {
        call.abort();
      }
      HttpExecuteResponse response;
      try {
        response = call.call();
      } catch (IOException e) {
        mine.end();
        throw mine.explain(e);
      } catch (RuntimeException e) {
        mine.end();
        throw e;
      }
      mine.received(1);
      if (response.responseBody().isEmpty()) {
        mine.end();
        return response;
      }
      AbortableInputStream body = response.responseBody().get();
      return HttpExecuteResponse.builder()
          .response(response.httpResponse())
          .responseBody(
              AbortableInputStream.create(
                  new Answer(body, mine),
                  () -> {
                    mine.end();
                    body.abort();
                  }))
          .build();
    }

    @Override
    public void abort() {
      aborted = true;
      ExecutableHttpRequest call = inner;
      if (call != null) {
        call.abort();
      }
    }
  }

  /** A request's body; each reading of it is counted. */
  private record Body(ContentStreamProvider provider, RequestWatch.Request watched)
      implements ContentStreamProvider {
    @Override
    public InputStream newStream() {
      return new FilterInputStream(provider.newStream()) {
        @Override
        public int read() throws IOException {
          int value = super.read();
          watched.sent(value < 0 ? 0 : 1);
          return value;
        }

        @Override
        public int read(byte[] into, int offset, int length) throws IOException {
          int count = super.read(into, offset, length);
          watched.sent(Math.max(0, count));
          return count;
        }
      };
    }

    @Override
    public String name() {
      return provider.name();
    }
  }

  /** A response's body, which ends the watch with itself. */
  private static final class Answer extends FilterInputStream {
    private final RequestWatch.Request watched;

    Answer(InputStream in, RequestWatch.Request watched) {
      super(in);
      this.watched = watched;
    }

    @Override
    public int read() throws IOException {
      byte[] one = new byte[1];
      return read(one, 0, 1) < 0 ? -1 : one[0] & 0xFF;
    }

    @Override
    public int read(byte[] into, int offset, int length) throws IOException {
      try {
        int count = super.read(into, offset, length);
        if (count < 0) {
          watched.end();
        } else {
          watched.received(count);
        }
        return count;
      } catch (IOException e) {
        throw watched.explain(e);
      }
    }

    @Override
    public void close() throws IOException {
      watched.end();
      super.close();
    }
  }
}
