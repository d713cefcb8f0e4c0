package dev.varve.compute.volume;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.api.csi.v1.GetPluginInfoRequest;
import dev.varve.api.csi.v1.IdentityGrpc;
import dev.varve.api.csi.v1.ProbeRequest;
import dev.varve.api.kubelet.v1.InfoRequest;
import dev.varve.api.kubelet.v1.PluginInfo;
import dev.varve.api.kubelet.v1.RegistrationGrpc;
import dev.varve.testkit.SocketClient;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Registration and identity over a real Unix socket. */
class UnixSocketServerTest {
  @TempDir Path directory;

  @Test
  void answersOnASocketThatReplacesADeadOne() throws Exception {
    Path socket = directory.resolve("csi.sock");
    Files.createFile(socket);
    try (UnixSocketServer server =
            UnixSocketServer.open(
                socket,
                List.of(
                    new RegistrationService(Path.of("/there/csi.sock")),
                    new IdentityService(() -> true)));
        SocketClient client = new SocketClient(server.socket())) {
      PluginInfo info =
          RegistrationGrpc.newBlockingStub(client.channel())
              .getInfo(InfoRequest.getDefaultInstance());
      assertEquals("CSIPlugin", info.getType());
      assertEquals("varve.dev", info.getName());
      assertEquals("/there/csi.sock", info.getEndpoint());
      IdentityGrpc.IdentityBlockingStub identity = IdentityGrpc.newBlockingStub(client.channel());
      assertEquals(
          "varve.dev", identity.getPluginInfo(GetPluginInfoRequest.getDefaultInstance()).getName());
      assertTrue(identity.probe(ProbeRequest.getDefaultInstance()).getReady().getValue());
      assertEquals(
          "rw-------",
          java.nio.file.attribute.PosixFilePermissions.toString(
              Files.getPosixFilePermissions(socket)));
    }
    assertFalse(Files.exists(socket));
  }
}
