package dev.varve.operator.plan;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.crd.PrimarySource;
import dev.varve.crd.SecretKey;
import dev.varve.crd.Source;
import dev.varve.crd.SslMode;
import dev.varve.crd.Tenant;
import dev.varve.crd.TenantSpec;
import dev.varve.crd.Timeline;
import dev.varve.crd.TimelineSpec;
import io.fabric8.kubernetes.api.model.ObjectMetaBuilder;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is refused of objects that a definition let in, and that nothing written is repeated. */
final class SpecRulesTest {
  private static Source source(
      @Nullable String host, @Nullable Integer port, @Nullable String user, @Nullable String slot) {
    return new Source(
        new PrimarySource(
            host, port, user, null, "postgres", SslMode.PREFER, slot, null, null, null));
  }

  private static Source secret(@Nullable String name, @Nullable String key) {
    return new Source(
        new PrimarySource(
            "db",
            5432,
            "varve",
            new SecretKey(name, key),
            null,
            SslMode.PREFER,
            null,
            null,
            null,
            null));
  }

  private static Timeline timeline(String name, @Nullable String tenant) {
    Timeline timeline = new Timeline();
    timeline.setMetadata(new ObjectMetaBuilder().withNamespace("shop").withName(name).build());
    timeline.setSpec(new TimelineSpec(tenant, null, null));
    return timeline;
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "db",
        "db.example.org",
        "db.example.org.",
        "10.0.0.7",
        "::1",
        "2001:db8::1",
        "::ffff:10.0.0.7",
        "My_DB",
        "1.2.3.4.in-addr.arpa"
      })
  void hostsAreTaken(String host) {
    assertEquals("", SpecRules.source(source(host, 5432, "varve", null)));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        " ",
        "db ",
        "db\n",
        "db:5432",
        "10.0.0.7:5432",
        "[::1]",
        "[::1]:5432",
        "1:2:3",
        "varve:secret@db",
        "postgres://varve:secret@db:5432/postgres",
        "db/../secret",
        "db..secret",
        "-db",
        "döb",
        "/var/run/secret",
        "fe80::1%eth0",
        "db,other"
      })
  void otherHostsAreRefusedAndNotRepeated(String host) {
    String message = SpecRules.source(source(host, 5432, "varve", null));
    assertTrue(message.startsWith("spec.source.primary.host is not"), message);
    assertFalse(message.contains("secret"), message);
  }

  @Test
  void whatIsMissingOrOutOfRangeIsRefused() {
    assertFalse(SpecRules.source(new Source(null)).isEmpty());
    assertFalse(SpecRules.source(source(null, 5432, "varve", null)).isEmpty());
    assertFalse(SpecRules.source(source("db", 0, "varve", null)).isEmpty());
    assertFalse(SpecRules.source(source("db", 65536, "varve", null)).isEmpty());
    assertFalse(SpecRules.source(source("db", 5432, null, null)).isEmpty());
    assertFalse(SpecRules.source(source("db", 5432, "a\0b", null)).isEmpty());
    assertFalse(SpecRules.source(source("db", 5432, "ä".repeat(32), null)).isEmpty());
    assertFalse(SpecRules.source(source("db", 5432, "varve", "Slot-1")).isEmpty());
    assertEquals("", SpecRules.source(source("db", null, "O'Brien \"x\"", "slot_1")));
  }

  /** The most that is taken is bytes of a {@code long} still. */
  @Test
  void retainedWalHasAnAmount() {
    for (String amount : List.of("1Mi", "50Gi", "999999Ti")) {
      Source source = retained(amount);
      assertEquals("", SpecRules.source(source), amount);
      Timeline timeline = timeline("orders", "acme");
      timeline.getMetadata().setUid("uid");
      timeline.setSpec(new TimelineSpec("acme", source, null));
      assertTrue(SourceAccess.of(timeline, "").maxRetainedWalBytes() > 0, amount);
    }
    for (String amount : List.of("", "0Gi", "10GB", "1.5Gi", "-1Gi", "9999999Ti", "999999999Ti")) {
      assertFalse(SpecRules.source(retained(amount)).isEmpty(), amount);
    }
  }

  private static Source retained(String amount) {
    return new Source(
        new PrimarySource(
            "db", 5432, "varve", null, null, SslMode.PREFER, null, null, amount, null));
  }

  @Test
  void onlyNamesOfSecretsAreAskedFor() {
    for (String name :
        List.of("Bad Name!", "../../varve/secrets/varve-management", "", "a/b", "a%2fb", "a?b")) {
      assertFalse(SpecRules.source(secret(name, "password")).isEmpty(), name);
    }
    assertFalse(SpecRules.source(secret(null, "password")).isEmpty());
    for (String key : List.of("", ".", "..", "..data", "a/b", "a b")) {
      assertFalse(SpecRules.source(secret("orders", key)).isEmpty(), key);
    }
    assertEquals("", SpecRules.source(secret("orders.v1", ".pass_word-1")));
    assertEquals("", SpecRules.source(secret("orders", null)));
  }

  @Test
  void namesMakeOtherNames() {
    assertEquals("", SpecRules.names(timeline("t".repeat(57), "a".repeat(51))));
    assertFalse(SpecRules.names(timeline("t".repeat(58), "acme")).isEmpty());
    assertFalse(SpecRules.names(timeline("a.b", "acme")).isEmpty());
    for (String tenant : new String[] {null, "", "a".repeat(52), "a.b", "other/acme", "A", "a\n"}) {
      assertFalse(SpecRules.names(timeline("orders", tenant)).isEmpty(), tenant);
    }
    Timeline bare = timeline("orders", "acme");
    bare.setSpec(null);
    assertFalse(SpecRules.names(bare).isEmpty());
  }

  @Test
  void tenantsHaveShards() {
    Tenant tenant = new Tenant();
    tenant.setMetadata(new ObjectMetaBuilder().withName("acme").build());
    assertEquals("", SpecRules.tenant(tenant));
    for (int shards : new int[] {0, -1, 65}) {
      tenant.setSpec(new TenantSpec(shards, 2048, null, null));
      assertFalse(SpecRules.tenant(tenant).isEmpty());
    }
    tenant.setSpec(new TenantSpec(2, 0, null, null));
    assertFalse(SpecRules.tenant(tenant).isEmpty());
  }
}
