package dev.varve.compute.volume;

import dev.varve.api.csi.v1.NodePublishVolumeRequest;
import dev.varve.api.csi.v1.VolumeCapability;
import dev.varve.compute.settings.Allowance;
import dev.varve.compute.settings.CopyIsolation;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * What a pod asked for, checked.
 *
 * @param id the kubelet's name of the volume
 * @param target where the data directory is to be
 * @param tenant null: the one that the Timeline resource names
 * @param lsn 0 for the newest
 * @param owner uid that runs PostgreSQL
 * @param settings of PostgreSQL, by name
 * @param allowed what a copy does not do otherwise
 * @param hba lines of {@code pg_hba.conf} that come first
 * @param token null when the pod names no secret; never stored, never logged
 */
record VolumeRequest(
    String id,
    Path target,
    PodReference pod,
    String timeline,
    @Nullable String tenant,
    long lsn,
    int owner,
    int group,
    Map<String, String> settings,
    Set<Allowance> allowed,
    String hba,
    @Nullable String token) {
  private static final String CONTEXT = "csi.storage.k8s.io/";
  private static final Set<String> ATTRIBUTES =
      Set.of("timeline", "tenant", "lsn", "owner", "group", "settings", "allow", "hba");
  private static final Pattern ID = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,127}");
  private static final Pattern NAME = Pattern.compile("[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?");
  private static final Pattern SETTING = Pattern.compile("[A-Za-z_][A-Za-z0-9_.]*");
  private static final int DEFAULT_OWNER = 999;
  private static final Path DRIVER_VOLUMES = Path.of("volumes/kubernetes.io~csi");
  private static final Path MOUNT = Path.of("mount");

  /** Of a pod's uid, of {@link #DRIVER_VOLUMES}, of the volume and {@link #MOUNT}. */
  private static final int TARGET_NAMES = 5;

  /** The kubelet's name of a volume, fit to be a file name. */
  static String id(String text) throws VolumeException {
    if (!ID.matcher(text).matches()) {
      throw VolumeException.invalid(
          "volume_id is '" + text + "'; expected letters, digits, '.', '_' and '-'");
    }
    return text;
  }

  /**
   * The path of a pod's volume as the kubelet makes it (Kubernetes {@code
   * pkg/volume/csi/csi_mounter.go}, {@code GetPath}), and no other: all that is in it is deleted
   * with the volume. Above it are the volumes of other drivers, pods and nodes.
   */
  static Path target(String text, Path pods) throws VolumeException {
    Path path = Path.of(text);
    if (path.isAbsolute() && path.normalize().equals(path) && path.startsWith(pods)) {
      Path below = pods.relativize(path);
      if (below.getNameCount() == TARGET_NAMES
          && below.subpath(1, 3).equals(DRIVER_VOLUMES)
          && below.endsWith(MOUNT)) {
        return path;
      }
    }
    throw VolumeException.invalid(
        "target_path is '"
            + text
            + "'; expected "
            + pods.resolve("UID").resolve(DRIVER_VOLUMES).resolve("NAME").resolve(MOUNT));
  }

  /**
   * @param pods the kubelet's directory of pods, which every target is below
   */
  static VolumeRequest of(NodePublishVolumeRequest request, Path pods) throws VolumeException {
    String id = id(request.getVolumeId());
    Path target = target(request.getTargetPath(), pods);
    Map<String, String> context = request.getVolumeContextMap();
    if (!context.getOrDefault(CONTEXT + "ephemeral", "").equals("true")) {
      throw VolumeException.invalid(
          "only inline volumes are supported: put 'csi: {driver: varve.dev, volumeAttributes:"
              + " {timeline: NAME}}' into the pod, not a PersistentVolume");
    }
    capability(request);
    for (String name : context.keySet()) {
      if (!name.startsWith(CONTEXT) && !ATTRIBUTES.contains(name)) {
        throw VolumeException.invalid(
            "volumeAttributes has '"
                + name
                + "'; it may have timeline, tenant, lsn, owner, group, settings, allow, hba");
      }
    }
    String timeline = context.getOrDefault("timeline", "");
    if (timeline.isEmpty()) {
      throw VolumeException.invalid(
          "volumeAttributes lacks 'timeline': name a Timeline of the pod's namespace");
    }
    String tenant = context.get("tenant");
    int owner = id("owner", context.get("owner"), DEFAULT_OWNER);
    Map<String, String> settings = settings(context.getOrDefault("settings", ""));
    return new VolumeRequest(
        id,
        target,
        new PodReference(
            context.getOrDefault(CONTEXT + "pod.namespace", ""),
            context.getOrDefault(CONTEXT + "pod.name", ""),
            context.getOrDefault(CONTEXT + "pod.uid", "")),
        name("timeline", timeline),
        tenant == null ? null : name("tenant", tenant),
        lsn(context.getOrDefault("lsn", "")),
        owner,
        id("group", context.get("group"), owner),
        settings,
        allowed(context.getOrDefault("allow", ""), settings),
        context.getOrDefault("hba", ""),
        token(request.getSecretsMap()));
  }

  private static void capability(NodePublishVolumeRequest request) throws VolumeException {
    VolumeCapability capability = request.getVolumeCapability();
    if (capability.hasBlock()) {
      throw VolumeException.invalid(
          "a database is a directory: use volumeMounts, not volumeDevices");
    }
    if (request.getReadonly()) {
      throw VolumeException.invalid(
          "PostgreSQL writes to its data directory: remove 'readOnly: true'");
    }
    if (!capability.getMount().getMountFlagsList().isEmpty()) {
      throw VolumeException.invalid("mount options are not supported: remove them");
    }
  }

  private static String name(String attribute, String value) throws VolumeException {
    if (!NAME.matcher(value).matches()) {
      throw VolumeException.invalid(
          attribute
              + " is '"
              + value
              + "'; expected 1 to 63 lower-case letters, digits and inner hyphens");
    }
    return value;
  }

  private static int id(String attribute, @Nullable String value, int otherwise)
      throws VolumeException {
    if (value == null) {
      return otherwise;
    }
    try {
      int number = Integer.parseInt(value);
      if (number > 0) {
        return number;
      }
    } catch (NumberFormatException e) {
      // told below
    }
    throw VolumeException.invalid(
        attribute
            + " is '"
            + value
            + "'; expected the number, above 0, that the container runs as, in quotes");
  }

  private static long lsn(String value) throws VolumeException {
    if (value.isEmpty()) {
      return 0;
    }
    try {
      String[] half = value.split("/", 2);
      if (half.length == 2) {
        return Integer.toUnsignedLong(Integer.parseUnsignedInt(half[0], 16)) << 32
            | Integer.toUnsignedLong(Integer.parseUnsignedInt(half[1], 16));
      }
    } catch (NumberFormatException e) {
      // told below
    }
    throw VolumeException.invalid("lsn is '" + value + "'; expected an LSN such as 0/16B3748");
  }

  /** One {@code name = value} a line, as in {@code postgresql.conf}, without quotes. */
  private static Map<String, String> settings(String text) throws VolumeException {
    Map<String, String> settings = new LinkedHashMap<>();
    for (String line : text.split("\n", -1)) {
      if (line.isBlank()) {
        continue;
      }
      int equals = line.indexOf('=');
      String name = equals < 0 ? "" : line.substring(0, equals).strip();
      if (!SETTING.matcher(name).matches()) {
        throw VolumeException.invalid(
            "settings has the line '" + line + "'; expected 'name = value', one a line");
      }
      settings.put(name, line.substring(equals + 1).strip());
    }
    return settings;
  }

  private static Set<Allowance> allowed(String list, Map<String, String> settings)
      throws VolumeException {
    try {
      Set<Allowance> allowed = Allowance.parse(list);
      CopyIsolation.check(settings, allowed);
      return allowed;
    } catch (IllegalArgumentException e) {
      throw VolumeException.invalid("the attribute 'allow': " + e.getMessage());
    }
  }

  private static @Nullable String token(Map<String, String> secrets) throws VolumeException {
    if (secrets.isEmpty()) {
      return null;
    }
    String token = secrets.getOrDefault("token", "").strip();
    if (token.isEmpty() || !token.chars().allMatch(c -> c > ' ' && c < 127)) {
      throw VolumeException.invalid(
          "the secret that nodePublishSecretRef names has no usable key 'token': name the token"
              + " secret of the tenant");
    }
    return token;
  }

  /** Everything but the token. */
  @Override
  public String toString() {
    return "volume " + id + " of timeline " + timeline + " for " + pod + " at " + target;
  }
}
