package dev.varve.local.zoo;

import java.util.ArrayList;
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
  /** Something that is done to an animal. */
  interface Step {
    void run(Habitat habitat) throws Exception;
  }

  private static final Step NOTHING = habitat -> {};

  private final String name;
  private final String description;
  private final List<String> initdb = new ArrayList<>();
  private final Map<String, String> settings = new LinkedHashMap<>();
  private final Map<String, String> logins = new LinkedHashMap<>();
  private final List<String> shown = new ArrayList<>();
  private String superuser = "postgres";
  private @Nullable String password;
  private boolean checksums;
  private IntPredicate majors = major -> true;
  private Step configured = NOTHING;
  private Step built = NOTHING;
  private Step during = NOTHING;
  private Step attached = NOTHING;
  private Step computed = NOTHING;

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

  List<String> initdb() {
    return initdb;
  }

  Animal checksums() {
    checksums = true;
    return this;
  }

  boolean hasChecksums() {
    return checksums;
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

  /** A line of {@code postgresql.conf}. */
  Animal setting(String setting, String value) {
    settings.put(setting, value);
    return this;
  }

  Map<String, String> settings() {
    return settings;
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
  Animal login(String role, String password) {
    logins.put(role, password);
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

  /** After {@code initdb}, before the first start. */
  Animal configured(Step step) {
    configured = step;
    return this;
  }

  Step configured() {
    return configured;
  }

  /** On the running primary, before it is attached. */
  Animal built(Step step) {
    built = step;
    return this;
  }

  /** The same as statements, each on its own. */
  Animal built(String... statements) {
    return built(habitat -> habitat.execute(statements));
  }

  Step built() {
    return built;
  }

  /** While the base backup runs. */
  Animal during(Step step) {
    during = step;
    return this;
  }

  Step during() {
    return during;
  }

  /** On the primary, when it is attached. */
  Animal attached(Step step) {
    attached = step;
    return this;
  }

  Animal attached(String... statements) {
    return attached(habitat -> habitat.execute(statements));
  }

  Step attached() {
    return attached;
  }

  /** On the compute, among its writes: what this shape must allow besides. */
  Animal computed(Step step) {
    computed = step;
    return this;
  }

  Step computed() {
    return computed;
  }
}
