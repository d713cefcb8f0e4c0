package dev.varve.operator.plan;

import dev.varve.crd.PrimarySource;
import dev.varve.crd.SecretKey;
import dev.varve.crd.Source;
import dev.varve.crd.Syntax;
import dev.varve.crd.Tenant;
import dev.varve.crd.TenantSpec;
import dev.varve.crd.Timeline;
import dev.varve.crd.TimelineSpec;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * What an object must say to be acted on. The definitions hold the API server to the same, but an
 * object may be older than a rule: this is the one place where it is seen to before a name goes
 * into a request. Each method answers with what is wrong and what to write, empty for nothing; no
 * answer repeats what was written, which may hold a password.
 */
public final class SpecRules {
  private static final Pattern NAME = Pattern.compile(Syntax.NAME);
  private static final Pattern SECRET_NAME = Pattern.compile(Syntax.SECRET_NAME);
  private static final Pattern SECRET_KEY = Pattern.compile(Syntax.SECRET_KEY);
  private static final Pattern HOST = Pattern.compile(Syntax.HOST);
  private static final Pattern IDENTIFIER = Pattern.compile(Syntax.IDENTIFIER);
  private static final Pattern TIMELINE_ID = Pattern.compile(Syntax.TIMELINE_ID);
  private static final Pattern SLOT = Pattern.compile(Syntax.SLOT);
  private static final Pattern WAL_SIZE = Pattern.compile(Syntax.WAL_SIZE);

  private static final String ANEW = ": delete it and create it again under a name of at most ";
  private static final String REFERENCE = "write it as docs/reference says";
  private static final String PRIMARY = "spec.source.primary.";
  private static final int MAX_SECRET_CHARACTERS = 253;
  private static final int MAX_HOST_CHARACTERS = 253;
  private static final int MAX_SHARDS = 64;
  private static final int MAX_STRIPE = 131_072;
  private static final int MAX_PORT = 65_535;

  private SpecRules() {}

  /** Of a tenant: its name, which becomes part of others, and its layout. */
  public static String tenant(Tenant tenant) {
    if (!isName(tenant.getMetadata().getName(), Syntax.MAX_TENANT_CHARACTERS)) {
      return "its name cannot be part of a Secret's"
          + ANEW
          + Syntax.MAX_TENANT_CHARACTERS
          + " characters without dots";
    }
    TenantSpec spec = tenant.getSpec();
    if (spec == null) {
      return "it has no spec: apply it again";
    }
    if (spec.equals(TenantSpec.UNREADABLE)) {
      return "something in spec is of the wrong kind: " + REFERENCE;
    }
    if (!isWithin(spec.shards(), MAX_SHARDS)) {
      return "spec.shards is not 1 to " + MAX_SHARDS + ": delete the Tenant and create it again";
    }
    return isWithin(spec.stripe(), MAX_STRIPE)
        ? ""
        : "spec.stripe is not 1 to " + MAX_STRIPE + ": delete the Tenant and create it again";
  }

  /** Of a timeline's own name, its tenant's and its id: without them nothing of it can be made. */
  public static String names(Timeline timeline) {
    if (!isName(timeline.getMetadata().getName(), Syntax.MAX_TIMELINE_CHARACTERS)) {
      return "its name cannot be part of a Service's"
          + ANEW
          + Syntax.MAX_TIMELINE_CHARACTERS
          + " characters without dots";
    }
    TimelineSpec spec = timeline.getSpec();
    if (spec != null && spec.adopt() != null && !TIMELINE_ID.matcher(spec.adopt()).matches()) {
      return "spec.adopt is not the id of a timeline: delete the Timeline and create it again with"
          + " one that the Tenant's status shows in retainedTimelines";
    }
    return spec != null && isName(spec.tenant(), Syntax.MAX_TENANT_CHARACTERS)
        ? ""
        : "spec.tenant is not the name of a Tenant: delete the Timeline and create it again with"
            + " lower-case letters, digits and '-' there, "
            + Syntax.MAX_TENANT_CHARACTERS
            + " at most";
  }

  /** Of a timeline's source. */
  public static String source(Source source) {
    if (source.equals(Source.UNREADABLE)) {
      return "something in spec is of the wrong kind: " + REFERENCE;
    }
    PrimarySource primary = source.primary();
    if (primary == null) {
      return "spec.source.primary is missing: write host and user there";
    }
    if (!isHost(primary.host())) {
      return PRIMARY
          + "host is not a host name or an IP address and nothing else: leave out scheme, user,"
          + " password, brackets and blanks, and write the port into port";
    }
    if (!isWithin(primary.port(), MAX_PORT)) {
      return PRIMARY + "port is not 1 to " + MAX_PORT + ": write the primary's";
    }
    if (!isIdentifier(primary.user())) {
      return PRIMARY
          + "user is not the name of a role: write at most 63 bytes, no control characters";
    }
    if (primary.database() != null && !isIdentifier(primary.database())) {
      return PRIMARY
          + "database is not the name of a database: write at most 63 bytes, no control characters";
    }
    if (primary.slot() != null && !SLOT.matcher(primary.slot()).matches()) {
      return PRIMARY
          + "slot is not the name of a slot: delete the Timeline and create it again with 1 to 63"
          + " lower-case letters, digits and '_' there, or without it";
    }
    if (primary.maxRetainedWal() != null && !WAL_SIZE.matcher(primary.maxRetainedWal()).matches()) {
      return PRIMARY
          + "maxRetainedWal is not an amount of WAL: write up to six digits and Mi, Gi or Ti, such as"
          + " 50Gi";
    }
    return primary.passwordSecret() == null ? "" : secret(primary.passwordSecret());
  }

  private static String secret(SecretKey secret) {
    if (!matches(SECRET_NAME, secret.name(), MAX_SECRET_CHARACTERS)) {
      return PRIMARY
          + "passwordSecret.name is not the name of a Secret: write that of one in this namespace,"
          + " lower-case letters, digits, '-' and '.'";
    }
    return secret.key() == null || matches(SECRET_KEY, secret.key(), MAX_SECRET_CHARACTERS)
        ? ""
        : PRIMARY
            + "passwordSecret.key is not a key of a Secret: write letters, digits, '-', '_' and '.'";
  }

  private static boolean isName(@Nullable String text, int most) {
    return matches(NAME, text, most);
  }

  private static boolean matches(Pattern pattern, @Nullable String text, int most) {
    return text != null && text.length() <= most && pattern.matcher(text).matches();
  }

  private static boolean isWithin(@Nullable Integer number, int most) {
    return number == null || (number >= 1 && number <= most);
  }

  private static boolean isIdentifier(@Nullable String text) {
    return text != null
        && text.getBytes(StandardCharsets.UTF_8).length <= Syntax.MAX_IDENTIFIER_BYTES
        && IDENTIFIER.matcher(text).matches();
  }

  private static boolean isHost(@Nullable String host) {
    if (host == null || !matches(HOST, host, MAX_HOST_CHARACTERS)) {
      return false;
    }
    if (host.indexOf(':') < 0) {
      return true;
    }
    try {
      var _ = InetAddress.ofLiteral(host);
      return true;
    } catch (IllegalArgumentException e) {
      return false;
    }
  }
}
