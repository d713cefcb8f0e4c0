package dev.varve.operator.reconcile;

import dev.varve.operator.reconcile.TestCluster.RunningOperator;
import java.io.IOException;
import java.io.UncheckedIOException;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolver;

/**
 * A cluster with one operator, for all test classes that need neither of their own: the first one
 * starts it, and it is closed after the last. A test removes the pods that it made.
 */
record SharedCluster(TestCluster cluster, RunningOperator operator) implements AutoCloseable {
  private static SharedCluster start() {
    try {
      TestCluster cluster = new TestCluster();
      return new SharedCluster(cluster, cluster.operator());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void close() {
    operator.close();
    cluster.close();
  }

  /** For {@code @ExtendWith}. */
  static final class Resolver implements ParameterResolver {
    @Override
    public boolean supportsParameter(ParameterContext parameter, ExtensionContext context) {
      return parameter.getParameter().getType() == SharedCluster.class;
    }

    @Override
    public Object resolveParameter(ParameterContext parameter, ExtensionContext context) {
      return context
          .getRoot()
          .getStore(ExtensionContext.Namespace.create(SharedCluster.class))
          .computeIfAbsent(SharedCluster.class, _ -> start(), SharedCluster.class);
    }
  }
}
