package dev.varve.engine.check;

import dev.varve.engine.PageserverException;
import dev.varve.engine.check.Finding.Kind;
import dev.varve.engine.layer.LayerDescriptor;
import dev.varve.engine.layer.Manifest;
import dev.varve.engine.layer.ManifestStore;
import dev.varve.engine.postgres.Lsn;
import dev.varve.engine.store.ObjectEntry;
import dev.varve.engine.store.ObjectNotFoundException;
import dev.varve.engine.store.ObjectStore;
import java.io.IOException;
import java.util.HashSet;
import java.util.List;
import java.util.OptionalLong;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Checks a shard's manifests: that the newest of them are there and whole, and that the layers of
 * the newest fit together. {@code docs/formats/manifest.md} says which have to be there.
 */
final class ManifestCheck {
  private static final Pattern NAME = Pattern.compile(".*/([0-9]{20})");

  /** A few old ones stay: those of claims, and of owners who are just being followed. */
  private static final int MANY = 100;

  private final ObjectStore store;
  private final String shardPrefix;
  private final CheckReport report;
  private final ManifestStore manifests;

  /** Names of parts that the newest manifests have. */
  private final Set<String> parts = new HashSet<>();

  ManifestCheck(ObjectStore store, String shardPrefix, CheckReport report) {
    this.store = store;
    this.shardPrefix = shardPrefix;
    this.report = report;
    manifests = new ManifestStore(store, shardPrefix, 0);
  }

  /** The number that a manifest's name says; none when it is no manifest's. */
  static OptionalLong number(String name) {
    Matcher matcher = NAME.matcher(name);
    return matcher.matches()
        ? OptionalLong.of(Long.parseLong(matcher.group(1)))
        : OptionalLong.empty();
  }

  /** Checks the chain of which {@code entries} is the listing, by name. */
  void chain(List<ObjectEntry> entries) throws IOException {
    long newest = number(entries.getLast().name()).orElseThrow();
    Set<Long> numbers =
        entries.stream()
            .map(entry -> number(entry.name()).orElseThrow())
            .collect(Collectors.toSet());
    for (long n = Math.max(1, newest - ManifestStore.KEPT + 1); n < newest; n++) {
      if (!numbers.contains(n)) {
        report.found(
            Kind.MISSING,
            shardPrefix + "manifest/%020d".formatted(n),
            "the newest manifest is %d; the %d newest have to be there"
                .formatted(newest, ManifestStore.KEPT));
      }
    }
    long unwanted = 0;
    for (ObjectEntry entry : entries) {
      long n = number(entry.name()).orElseThrow();
      if (n > newest - ManifestStore.KEPT && n < newest) {
        older(entry);
      } else if (n < newest && entry.length() > 0 && !report.isYoung(entry)) {
        unwanted++;
      }
    }
    if (unwanted > MANY) {
      report.found(
          Kind.ORPHANED,
          shardPrefix + "manifest/",
          unwanted + " old manifests are neither removed nor emptied: may they be?");
    }
  }

  private void older(ObjectEntry entry) throws IOException {
    var _ = read(entry.name());
    report.progressed();
  }

  /** Null: a finding says what is wrong with it, or it was removed since it was listed. */
  private @Nullable Manifest read(String name) throws IOException {
    try {
      Manifest manifest = manifests.read(name);
      manifest.list().parts().forEach(part -> parts.add(part.name()));
      return manifest;
    } catch (ObjectNotFoundException e) {
      try {
        store.get(name);
      } catch (ObjectNotFoundException removed) {
        return null;
      }
      report.found(Kind.MISSING, name, "a part of it is gone: " + e.getMessage());
      return null;
    } catch (PageserverException.Corrupt
        | PageserverException.TooNew
        | PageserverException.TooOld e) {
      report.found(Kind.of(e), name, String.valueOf(e.getMessage()));
      return null;
    }
  }

  /** Whether one of the newest manifests names it; once they were read. */
  boolean namesPart(String part) {
    return parts.contains(part);
  }

  /** The newest manifest; null: a finding says why not. */
  @Nullable Manifest newest(List<ObjectEntry> entries) throws IOException {
    try {
      Manifest manifest = load();
      manifest.list().parts().forEach(part -> parts.add(part.name()));
      return manifest;
    } catch (PageserverException.Corrupt
        | PageserverException.TooNew
        | PageserverException.TooOld e) {
      String name = entries.getLast().name();
      if (read(name) != null) {
        report.found(Kind.DAMAGED, name, String.valueOf(e.getMessage()));
      }
      return null;
    }
  }

  /**
   * The newest manifest.
   *
   * @throws PageserverException.Corrupt when it is damaged
   */
  Manifest load() throws IOException {
    return manifests.load();
  }

  /** Checks of its layers what decoding does not. */
  void layers(Manifest manifest, String object) {
    Set<String> names = new HashSet<>();
    List<LayerDescriptor> images =
        manifest.layers().stream()
            .filter(layer -> layer.isImage() && layer.endLsn() != manifest.startLsn())
            .toList();
    Set<Long> imageLsns = images.stream().map(LayerDescriptor::endLsn).collect(Collectors.toSet());
    for (LayerDescriptor layer : manifest.layers()) {
      if (!names.add(layer.object())) {
        report.found(Kind.OVERLAPPING, object, "layer " + layer.name() + " is listed twice");
      }
      if (layer.isImage()) {
        continue;
      }
      for (long lsn : imageLsns) {
        if (Long.compareUnsigned(layer.startLsn(), lsn) < 0
            && Long.compareUnsigned(lsn, layer.endLsn()) < 0) {
          report.found(
              Kind.OVERLAPPING,
              object,
              "delta layer " + layer.name() + " reaches over images at " + Lsn.format(lsn));
        }
      }
    }
  }
}
