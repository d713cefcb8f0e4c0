package dev.varve.engine.check;

import dev.varve.engine.PageserverException;
import dev.varve.engine.check.Finding.Kind;
import dev.varve.engine.store.ObjectEntry;
import dev.varve.engine.store.ObjectStore;
import dev.varve.engine.tenant.StoredLayout;
import dev.varve.engine.tenant.StoredName;
import dev.varve.engine.tenant.TimelineId;
import dev.varve.engine.tenant.TimelineLabel;
import dev.varve.engine.tenant.TimelineLocation;
import dev.varve.engine.tenant.TimelineName;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Checks one tenant: that names lead to labels and labels to timelines, and each timeline that the
 * options want. Names and labels sort before timelines, so they are known by then.
 */
final class TenantCheck {
  private final ObjectStore store;
  private final String tenant;
  private final String prefix;
  private final CheckOptions options;
  private final CheckReport report;
  private final SplittableRandom random;

  /** By id; a label that cannot be read is null. */
  private final Map<TimelineId, @Nullable TimelineLabel> labels = new HashMap<>();

  private final Map<TimelineId, ObjectEntry> labelEntries = new LinkedHashMap<>();
  private final Set<TimelineId> withObjects = new HashSet<>();

  TenantCheck(
      ObjectStore store,
      String tenant,
      CheckOptions options,
      CheckReport report,
      SplittableRandom random) {
    this.store = store;
    this.tenant = tenant;
    this.prefix = TimelineLocation.tenant(tenant);
    this.options = options;
    this.report = report;
    this.random = random;
  }

  /** Goes through the tenant's objects; false when it has not what the options want. */
  boolean run(ObjectCursor objects) throws IOException {
    String labelPrefix = TimelineLocation.labels(tenant);
    String namePrefix = prefix + "names/";
    String timelinePrefix = prefix + "timelines/";
    List<ObjectEntry> names = new ArrayList<>();
    boolean found = options.timeline() == null;
    for (ObjectEntry entry = objects.peek(prefix); entry != null; entry = objects.peek(prefix)) {
      String name = entry.name();
      if (name.startsWith(timelinePrefix)) {
        int end = name.indexOf('/', timelinePrefix.length());
        TimelineId uid = id(name.substring(timelinePrefix.length(), end < 0 ? name.length() : end));
        if (uid != null && end > 0) {
          found |= timeline(TimelineLocation.whole(tenant, uid), objects);
          continue;
        }
      }
      count(entry);
      TimelineId uid =
          name.startsWith(labelPrefix) ? id(name.substring(labelPrefix.length())) : null;
      if (uid != null) {
        labelEntries.put(uid, entry);
        labels.put(uid, label(uid, entry.name()));
      } else if (name.startsWith(namePrefix)) {
        names.add(entry);
      } else {
        report.unneeded(entry, "it has no place in a tenant");
      }
      objects.advance();
    }
    for (ObjectEntry entry : names) {
      name(entry, entry.name().substring(namePrefix.length()));
    }
    for (TimelineId uid : labelEntries.keySet()) {
      found |= isWanted(uid);
      if (isWanted(uid) && !withObjects.contains(uid)) {
        withoutObjects(uid);
      }
    }
    return found;
  }

  private void count(ObjectEntry entry) {
    report.progress.objects.incrementAndGet();
    report.progress.objectBytes.addAndGet(entry.length());
    report.progressed();
  }

  /** Null: it is none. */
  private static @Nullable TimelineId id(String text) {
    try {
      return new TimelineId(text);
    } catch (PageserverException.InvalidRequest e) {
      return null;
    }
  }

  private boolean isWanted(TimelineId uid) {
    String wanted = options.timeline();
    TimelineLabel label = labels.get(uid);
    return wanted == null
        || uid.text().equals(wanted)
        || label != null && label.name().equals(wanted);
  }

  private @Nullable TimelineLabel label(TimelineId uid, String object) throws IOException {
    try {
      return TimelineLabel.read(store, TimelineLocation.whole(tenant, uid));
    } catch (PageserverException.Corrupt
        | PageserverException.TooNew
        | PageserverException.TooOld e) {
      unreadable(object, e);
      return null;
    }
  }

  private void unreadable(String object, PageserverException e) {
    report.found(Kind.of(e), object, String.valueOf(e.getMessage()));
  }

  private void name(ObjectEntry entry, String name) throws IOException {
    if (options.timeline() != null && !options.timeline().equals(name)) {
      return;
    }
    TimelineId uid;
    try {
      uid = StoredName.resolve(store, new TimelineName(tenant, name));
    } catch (PageserverException.InvalidRequest e) {
      report.unneeded(entry, "it is no name of a timeline");
      return;
    } catch (PageserverException.Corrupt
        | PageserverException.TooNew
        | PageserverException.TooOld e) {
      unreadable(entry.name(), e);
      return;
    }
    if (uid == null || report.isYoung(entry)) {
      return; // gone again, or its timeline is just being made
    }
    TimelineLabel label = TimelineLabel.read(store, TimelineLocation.whole(tenant, uid));
    if (label == null) {
      report.found(Kind.DANGLING, entry.name(), "it leads to timeline " + uid + ", which is not");
    } else if (!label.name().equals(name)) {
      report.found(
          Kind.DANGLING,
          entry.name(),
          "it leads to timeline " + uid + ", which is called " + label.name());
    }
  }

  private void withoutObjects(TimelineId uid) throws IOException {
    ObjectEntry entry = labelEntries.get(uid);
    TimelineLocation whole = TimelineLocation.whole(tenant, uid);
    if (entry == null || report.isYoung(entry) || !store.list(whole.timelinePrefix()).isEmpty()) {
      return;
    }
    TimelineLabel label = label(uid, entry.name());
    if (label != null) {
      report.found(
          Kind.DANGLING, entry.name(), "the timeline that it calls " + label.name() + " is not");
    }
  }

  /** Goes through the timeline's objects; false when the options do not want it. */
  private boolean timeline(TimelineLocation whole, ObjectCursor objects) throws IOException {
    TimelineId uid = whole.uid();
    withObjects.add(uid);
    if (!labels.containsKey(uid)) {
      TimelineLabel label = label(uid, whole.label()); // made since labels were listed
      if (label != null) {
        labels.put(uid, label);
      }
    }
    if (!isWanted(uid)) {
      objects.skip(whole.timelinePrefix());
      return false;
    }
    report.progress.timelines.incrementAndGet();
    if (!labels.containsKey(uid)) {
      if (store.list(whole.timelinePrefix()).stream()
          .noneMatch(entry -> entry.name().contains("/manifest/"))) {
        unneeded(whole, objects, "the timeline has neither a label nor a manifest");
        return true;
      }
      report.found(Kind.MISSING, whole.label(), "there are manifests of the timeline");
    }
    TimelineLabel label = labels.get(uid);
    if (label != null && label.state() == TimelineLabel.State.DELETED) {
      unneeded(whole, objects, "the timeline's deletion began and did not end: delete it again");
      return true;
    }
    shards(whole, objects);
    return true;
  }

  private void unneeded(TimelineLocation whole, ObjectCursor objects, String text)
      throws IOException {
    String below = whole.timelinePrefix();
    for (ObjectEntry entry = objects.peek(below); entry != null; entry = objects.peek(below)) {
      count(entry);
      report.unneeded(entry, text);
      objects.advance();
    }
  }

  private void shards(TimelineLocation whole, ObjectCursor objects) throws IOException {
    StoredLayout layout;
    try {
      layout = StoredLayout.read(store, whole);
    } catch (PageserverException.Corrupt
        | PageserverException.TooNew
        | PageserverException.TooOld e) {
      unreadable(whole.layout(), e);
      objects.skip(whole.timelinePrefix());
      return;
    }
    Set<String> prefixes =
        layout.shards(whole).stream()
            .map(TimelineLocation::objectPrefix)
            .collect(Collectors.toSet());
    String below = whole.timelinePrefix();
    Set<String> absent = new TreeSet<>(prefixes);
    boolean hasLayout = false;
    boolean isYoung = false;
    for (ObjectEntry entry = objects.peek(below); entry != null; entry = objects.peek(below)) {
      String shard = shardPrefix(below, entry.name());
      if (entry.name().equals(whole.layout())) {
        hasLayout = true;
        isYoung = report.isYoung(entry);
        count(entry);
        objects.advance();
      } else if (prefixes.contains(shard)) {
        absent.remove(shard);
        hasLayout |= shard(shard, whole, objects);
      } else {
        count(entry);
        report.unneeded(entry, "it belongs to no shard of the timeline");
        objects.advance();
      }
    }
    if (!hasLayout) {
      report.found(Kind.MISSING, whole.layout(), "every timeline has one");
    }
    if (!isYoung) {
      for (String shard : absent) {
        report.found(
            Kind.MISSING,
            shard + "manifest/",
            "the timeline was never attached here, or all of it is gone");
      }
    }
  }

  /** Checks one shard; returns whether the layout was among its objects. */
  private boolean shard(String shard, TimelineLocation whole, ObjectCursor objects)
      throws IOException {
    TimelineCheck check = new TimelineCheck(store, shard, options, report, random);
    boolean hasLayout = false;
    for (ObjectEntry entry = objects.peek(shard); entry != null; entry = objects.peek(shard)) {
      if (!shardPrefix(whole.timelinePrefix(), entry.name()).equals(shard)) {
        break;
      }
      count(entry);
      if (entry.name().equals(whole.layout())) {
        hasLayout = true;
      } else if (!check.add(entry)) {
        report.unneeded(entry, "it is neither a manifest nor a layer");
      }
      objects.advance();
    }
    check.run();
    return hasLayout;
  }

  /** The prefix of the shard that an object of the timeline is of, by its name. */
  private static String shardPrefix(String below, String name) {
    String shards = below + "shards/";
    int end = name.startsWith(shards) ? name.indexOf('/', shards.length()) : -1;
    return end < 0 ? below : name.substring(0, end + 1);
  }
}
