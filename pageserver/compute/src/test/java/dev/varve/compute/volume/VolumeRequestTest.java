package dev.varve.compute.volume;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.api.csi.v1.NodePublishVolumeRequest;
import dev.varve.api.csi.v1.VolumeCapability;
import dev.varve.compute.settings.Allowance;
import io.grpc.Status;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** What a pod may ask for, and how it is told that it may not. */
class VolumeRequestTest {
  private static final Path PODS = Path.of("/var/lib/kubelet/pods");

  private static NodePublishVolumeRequest.Builder request() {
    return NodePublishVolumeRequest.newBuilder()
        .setVolumeId("csi-1f")
        .setTargetPath(PODS + "/u/volumes/kubernetes.io~csi/data/mount")
        .setVolumeCapability(
            VolumeCapability.newBuilder()
                .setMount(VolumeCapability.MountVolume.getDefaultInstance()))
        .putAllVolumeContext(
            Map.of(
                "csi.storage.k8s.io/ephemeral",
                "true",
                "csi.storage.k8s.io/pod.name",
                "orders-0",
                "csi.storage.k8s.io/pod.namespace",
                "shop",
                "csi.storage.k8s.io/pod.uid",
                "u",
                "timeline",
                "orders"));
  }

  private static VolumeRequest of(NodePublishVolumeRequest.Builder request) throws VolumeException {
    return VolumeRequest.of(request.build(), PODS);
  }

  @Test
  void theLeastIsATimeline() throws Exception {
    VolumeRequest least = of(request());
    assertEquals("orders", least.timeline());
    assertNull(least.tenant());
    assertNull(least.token());
    assertEquals(0, least.lsn());
    assertEquals(999, least.owner());
    assertEquals(999, least.group());
    assertEquals(Map.of(), least.settings());
    assertEquals(Set.of(), least.allowed());
    assertEquals("", least.hba());
    assertEquals(new PodReference("shop", "orders-0", "u"), least.pod());
  }

  @Test
  void everythingThatCanBeSaid() throws Exception {
    VolumeRequest all =
        of(
            request()
                .putVolumeContext("tenant", "acme")
                .putVolumeContext("lsn", "1A/16B3748")
                .putVolumeContext("owner", "26")
                .putVolumeContext("settings", "work_mem = 64MB\n\nsearch_path=a, b\nmy.x =\n")
                .putVolumeContext("allow", "archiving, logical-replication")
                .putVolumeContext("hba", "host all all 10.0.0.0/8 trust\n")
                .putSecrets("token", "s3cret\n"));
    assertEquals("acme", all.tenant());
    assertEquals(Set.of(Allowance.ARCHIVING, Allowance.LOGICAL_REPLICATION), all.allowed());
    assertEquals("host all all 10.0.0.0/8 trust\n", all.hba());
    assertEquals(0x1A016B3748L, all.lsn());
    assertEquals(26, all.owner());
    assertEquals(26, all.group());
    assertEquals(Map.of("work_mem", "64MB", "search_path", "a, b", "my.x", ""), all.settings());
    assertEquals("s3cret", all.token());
    assertFalse(all.toString().contains("s3cret"));
  }

  private static void refused(String said, NodePublishVolumeRequest.Builder request) {
    VolumeException refusal = assertThrows(VolumeException.class, () -> of(request));
    assertEquals(Status.Code.INVALID_ARGUMENT, refusal.status().getCode());
    assertTrue(refusal.getMessage().contains(said), refusal.getMessage());
  }

  @Test
  void refusals() {
    refused("volume_id", request().setVolumeId("../up"));
    refused("volume_id", request().setVolumeId(""));
    refused("target_path", request().setTargetPath("/etc/passwd"));
    refused("target_path", request().setTargetPath(PODS + "/../../etc"));
    refused("target_path", request().setTargetPath("pods/u"));
    for (String above :
        List.of(
            "",
            "/u",
            "/u/volumes",
            "/u/volumes/kubernetes.io~csi",
            "/u/volumes/kubernetes.io~csi/data",
            "/u/volumes/kubernetes.io~empty-dir/data/mount",
            "/u/volumes/kubernetes.io~csi/data/vol_data.json",
            "/u/volumes/kubernetes.io~csi/data/mount/base")) {
      refused("target_path", request().setTargetPath(PODS + above));
    }
    refused("lacks 'timeline'", request().removeVolumeContext("timeline"));
    refused("timeline is", request().putVolumeContext("timeline", "Orders/x"));
    refused("tenant is", request().putVolumeContext("tenant", ""));
    refused("'timelime'", request().putVolumeContext("timelime", "x"));
    refused("lsn is", request().putVolumeContext("lsn", "16B3748"));
    refused("owner is", request().putVolumeContext("owner", "0"));
    refused("group is", request().putVolumeContext("group", "-1"));
    refused("settings has the line", request().putVolumeContext("settings", "work_mem 64MB"));
    refused("it may be logical-replication, archiving", request().putVolumeContext("allow", "all"));
    refused(
        "allow it with archiving", request().putVolumeContext("settings", "Archive_Mode = always"));
    refused("inline volumes", request().putVolumeContext("csi.storage.k8s.io/ephemeral", "false"));
    refused("readOnly", request().setReadonly(true));
    refused("key 'token'", request().putSecrets("password", "x"));
    refused("key 'token'", request().putSecrets("token", "a b"));
    refused(
        "volumeMounts",
        request()
            .setVolumeCapability(
                VolumeCapability.newBuilder()
                    .setBlock(VolumeCapability.BlockVolume.getDefaultInstance())));
    refused(
        "mount options",
        request()
            .setVolumeCapability(
                VolumeCapability.newBuilder()
                    .setMount(VolumeCapability.MountVolume.newBuilder().addMountFlags("noatime"))));
  }
}
