package dev.varve.operator;

import dev.varve.operator.pageserver.Fleet;
import dev.varve.operator.reconcile.ManagementToken;
import dev.varve.operator.render.TimelineObjects;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.extended.leaderelection.LeaderCallbacks;
import io.javaoperatorsdk.operator.api.config.LeaderElectionConfiguration;
import io.javaoperatorsdk.operator.api.config.LeaderElectionConfigurationBuilder;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.inject.Disposes;
import jakarta.enterprise.inject.Produces;
import jakarta.inject.Singleton;
import java.net.InetSocketAddress;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Duration;
import java.time.InstantSource;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The parts that the controllers share. */
@ApplicationScoped
public class OperatorBeans {
  private static final Logger LOG = LoggerFactory.getLogger(OperatorBeans.class);

  @Produces
  @Singleton
  InstantSource clock() {
    return Clock.systemUTC();
  }

  @Produces
  @Singleton
  Fleet fleet(KubernetesClient client, OperatorConfig config) {
    String token =
        ManagementToken.getOrMake(
            client, config.namespace(), config.managementSecret(), new SecureRandom());
    return new Fleet(
        client,
        config.namespace(),
        config.pageserverSelector(),
        pod -> new InetSocketAddress(pod.address(), TimelineObjects.PORT),
        token,
        config.pollInterval(),
        config.grace());
  }

  void close(@Disposes Fleet fleet) {
    fleet.close();
  }

  /**
   * One operator works, others stand by; the lease is in the pageservers' namespace. It ends no
   * later than the usual grace of a pageserver: both may have been on the node that lost its power.
   */
  @Produces
  @Singleton
  LeaderElectionConfiguration leaderElection(OperatorConfig config) {
    AtomicBoolean leads = new AtomicBoolean();
    return LeaderElectionConfigurationBuilder.aLeaderElectionConfiguration("varve-operator")
        .withLeaseNamespace(config.namespace())
        .withLeaseDuration(Duration.ofSeconds(10))
        .withRenewDeadline(Duration.ofSeconds(7))
        .withRetryPeriod(Duration.ofSeconds(2))
        .withLeaderCallbacks(
            new LeaderCallbacks(
                () -> {
                  leads.set(true);
                  LOG.info("this operator leads");
                },
                () -> {
                  // One that stood by is stopped likewise.
                  if (leads.getAndSet(false)) {
                    LOG.info("this operator does not lead any more");
                  }
                },
                leader -> LOG.info("the operator that leads is {}", leader)))
        .build();
  }
}
