package dev.varve.local.zoo;

import dev.varve.testkit.PostgresServer;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntPredicate;
import org.jspecify.annotations.Nullable;

/**
 * A shape that a cluster can have: how it is made, what happens to it while it is attached and
 * afterwards. Names are timelines' names.
 */
final class Animal {
  /** When something is done to an animal. */
  enum Moment {
    /** After {@code initdb}, before the first start. */
    CONFIGURED,
    /** On the running primary, before it is attached. */
    BUILT,
    /** While the base backup runs. */
    DURING,
    /** On the primary, when it is attached. */
    ATTACHED,
    /** On the compute, among its writes: what this shape must allow besides. */
    COMPUTED
  }

  /** Something that is done to an animal. */
  interface Step {
    void run(Habitat habitat) throws Exception;
  }

  private final String name;
  private final String description;
  private final List<String> initdb = new ArrayList<>();
  private final Map<String, String> settings = new LinkedHashMap<>();
  private final Map<String, String> logins = new LinkedHashMap<>();
  private final List<String> shown = new ArrayList<>();
  private final Map<Moment, Step> steps = new EnumMap<>(Moment.class);
  private String superuser = "postgres";
  private @Nullable String password;
  private boolean checksums;
  private String sslMode = "disable";
  private @Nullable String replicator;
  private boolean distribution;
  private IntPredicate majors = major -> true;

  private Animal(String name, String description) {
    this.name = name;
    this.description = description;
  }

  static Animal named(String name, String description) {
    return new Animal(name, description);
  }

  String name() {
    return name;
  }

  String description() {
    return description;
  }

  /** Arguments of {@code initdb}. */
  Animal initdb(String... arguments) {
    initdb.addAll(List.of(arguments));
    return this;
  }

  Animal checksums() {
    checksums = true;
    return this;
  }

  Animal superuser(String role) {
    superuser = role;
    return this;
  }

  String superuser() {
    return superuser;
  }

  /** The superuser's password, without which {@code initdb} refuses to ask for any. */
  Animal password(String secret) {
    password = secret;
    return this;
  }

  @Nullable String password() {
    return password;
  }

  /** How the pageserver connects. */
  Animal sslMode(String mode) {
    sslMode = mode;
    return this;
  }

  String sslMode() {
    return sslMode;
  }

  /** The pageserver connects as this role, which has no password, instead of as the superuser. */
  Animal replicator(String role) {
    replicator = role;
    return this;
  }

  String replicator() {
    return replicator == null ? superuser : replicator;
  }

  /**
   * The primary and its copies run the binaries that the machine's distribution has of it, which
   * have lz4 and zstd.
   */
  Animal distribution() {
    distribution = true;
    majors = major -> Programs.has(major, "postgres", "initdb");
    return this;
  }

  boolean ofDistribution() {
    return distribution;
  }

  /** A line of {@code postgresql.conf}. */
  Animal setting(String setting, String value) {
    settings.put(setting, value);
    return this;
  }

  /** A server with this animal's superuser: the primary, or one that is made of it. */
  PostgresServer.Builder server(int major) {
    PostgresServer.Builder builder = PostgresServer.builder(major).superuser(superuser);
    if (distribution) {
      builder.binaries(Programs.directory(major));
    }
    return password == null ? builder : builder.password(password);
  }

  /** What this animal wants of {@code initdb} and {@code postgresql.conf}. */
  void shape(PostgresServer.Builder builder) {
    builder.checksums(checksums);
    initdb.forEach(builder::initdbArgument);
    settings.forEach(builder::configuration);
  }

  /** A setting that {@code pg_settings} does not list. */
  Animal shows(String... names) {
    shown.addAll(List.of(names));
    return this;
  }

  List<String> shown() {
    return shown;
  }

  /** A role whose password is tried, and a wrong one. */
  Animal login(String role, String secret) {
    logins.put(role, secret);
    return this;
  }

  Map<String, String> logins() {
    return logins;
  }

  Animal on(IntPredicate which) {
    majors = which;
    return this;
  }

  boolean livesOn(int major) {
    return majors.test(major);
  }

  Animal configured(Step step) {
    return at(Moment.CONFIGURED, step);
  }

  Animal built(Step step) {
    return at(Moment.BUILT, step);
  }

  /** The same as statements, each on its own. */
  Animal built(String... statements) {
    return built(habitat -> habitat.execute(statements));
  }

  Animal during(Step step) {
    return at(Moment.DURING, step);
  }

  Animal attached(Step step) {
    return at(Moment.ATTACHED, step);
  }

  Animal attached(String... statements) {
    return attached(habitat -> habitat.execute(statements));
  }

  Animal computed(Step step) {
    return at(Moment.COMPUTED, step);
  }

  Animal computed(String... statements) {
    return computed(habitat -> habitat.compute().execute("postgres", statements));
  }

  private Animal at(Moment moment, Step step) {
    steps.put(moment, step);
    return this;
  }

  /** Does what is to be done then, if anything is. */
  void run(Moment moment, Habitat habitat) throws Exception {
    Step step = steps.get(moment);
    if (step != null) {
      step.run(habitat);
    }
  }
}
