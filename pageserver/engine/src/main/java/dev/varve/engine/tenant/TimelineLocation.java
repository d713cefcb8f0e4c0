package dev.varve.engine.tenant;

import dev.varve.engine.catalog.Shard;
import dev.varve.engine.layer.LayerOrigin;
import java.nio.file.Path;

/**
 * Where the objects of a timeline, or of a shard of it, are in the object store, and its files on a
 * pageserver's disk: below its id, whatever its name is. The only place that spells object names of
 * tenants; {@code docs/formats/timeline.md} shows them.
 */
public record TimelineLocation(String tenant, TimelineId uid, Shard shard) {
  /** Where all tenants are, with a slash at the end. */
  public static final String TENANTS = "tenants/";

  static TimelineLocation of(TimelineName name, TimelineId uid) {
    return new TimelineLocation(name.tenant(), uid, name.shard());
  }

  /** Of a timeline that is not sharded, or of all its shards. */
  public static TimelineLocation whole(String tenant, TimelineId uid) {
    return new TimelineLocation(tenant, uid, Shard.WHOLE);
  }

  /** Where the tenant's labels are, one for each timeline, with a slash at the end. */
  public static String labels(String tenant) {
    return tenant(tenant) + "labels/";
  }

  /** The object that leads from a name to an id. */
  public static String name(TimelineName name) {
    return tenant(name.tenant()) + "names/" + name.timeline();
  }

  /** Where all of a tenant is, with a slash at the end. */
  public static String tenant(String tenant) {
    return TENANTS + tenant + "/";
  }

  /** What the timeline is called, and whether it is in use. */
  public String label() {
    return labels(tenant) + uid;
  }

  /** Where the objects of the tenant's timelines are, with a slash at the end. */
  String timelines() {
    return tenant(tenant) + "timelines/";
  }

  /** As its layers name it. */
  LayerOrigin origin() {
    return new LayerOrigin(
        uid.high(),
        uid.low(),
        shard.index(),
        shard.count(),
        shard.coversAll() ? 0 : shard.stripeBlocks());
  }

  /** Where the objects of all its shards are, with a slash at the end. */
  public String timelinePrefix() {
    return timelines() + uid + "/";
  }

  /** How it is dealt out over shards. */
  public String layout() {
    return timelinePrefix() + "layout";
  }

  /** Where the objects of this shard are, with a slash at the end. */
  public String objectPrefix() {
    return timelines() + origin().path();
  }

  /** Where its manifests are, with a slash at the end. */
  String manifests() {
    return objectPrefix() + "manifest/";
  }

  /** Where its layer files are below a pageserver's directory. */
  Path localDirectory(Path directory) {
    Path path = directory.resolve(tenant).resolve(uid.text());
    return shard.coversAll() ? path : path.resolve(shard.toString());
  }

  @Override
  public String toString() {
    return tenant + "/" + uid + (shard.coversAll() ? "" : "/" + shard);
  }
}
