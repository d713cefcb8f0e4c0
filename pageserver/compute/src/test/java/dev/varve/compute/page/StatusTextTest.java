package dev.varve.compute.page;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.grpc.Status;
import java.io.IOException;
import java.net.ConnectException;
import org.junit.jupiter.api.Test;

class StatusTextTest {
  @Test
  void saysCodeWordsAndDeepestCauseInOneLine() {
    assertEquals(
        "UNAVAILABLE: io exception: Connection refused: /127.0.0.1:1",
        StatusText.of(
            Status.UNAVAILABLE
                .withDescription("io exception")
                .withCause(
                    new IOException(
                        "connect failed", new ConnectException("Connection refused: /127.0.0.1:1")))
                .asRuntimeException()));
    assertEquals(
        "UNIMPLEMENTED: HTTP status code 404",
        StatusText.of(
            Status.UNIMPLEMENTED
                .withDescription("HTTP status code 404\nheaders: Metadata()\nDATA---")
                .asRuntimeException()));
    assertEquals("CANCELLED", StatusText.of(Status.CANCELLED.asRuntimeException()));
  }
}
