package dev.varve.compute.volume;

import io.grpc.Status;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * A volume cannot be had, or not yet. The kubelet shows the message as an event of the pod, so it
 * says what to do; the code is the one that CSI names for the case.
 */
final class VolumeException extends IOException {
  private static final long serialVersionUID = 1L;

  private final Status.Code code;

  VolumeException(Status.Code code, String message) {
    this(code, message, null);
  }

  VolumeException(Status.Code code, String message, @Nullable Throwable cause) {
    super(message, cause);
    this.code = code;
  }

  static VolumeException invalid(String message) {
    return new VolumeException(Status.Code.INVALID_ARGUMENT, message);
  }

  Status status() {
    return code.toStatus().withDescription(getMessage());
  }
}
