package dev.varve.operator.reconcile;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;

/** What controllers threw since it was made, as the SDK logs it. Any thread. */
final class ControllerFailures extends Handler implements AutoCloseable {
  private final Logger framework = Logger.getLogger("io.javaoperatorsdk.operator");
  private final List<String> all = new CopyOnWriteArrayList<>();

  ControllerFailures() {
    framework.addHandler(this);
  }

  List<String> all() {
    return List.copyOf(all);
  }

  @Override
  public void publish(LogRecord record) {
    if (record.getThrown() != null) {
      all.add(record.getMessage() + " " + record.getThrown());
    }
  }

  @Override
  public void flush() {}

  @Override
  public void close() {
    framework.removeHandler(this);
  }
}
