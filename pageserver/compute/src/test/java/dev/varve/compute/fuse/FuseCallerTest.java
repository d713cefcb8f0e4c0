package dev.varve.compute.fuse;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class FuseCallerTest {
  private static final String STATUS =
      """
      Name:\tpostgres
      State:\tD (disk sleep)
      SigQ:\t1/3845
      SigPnd:\t0000000000000200
      ShdPnd:\t0000000000004002
      SigBlk:\t0000000000000200
      SigIgn:\t0000000001001000
      """;

  @Test
  void pendingIsWhatWaitsAndIsNotBlocked() {
    assertEquals(1L << Libc.SIGTERM - 1 | 1L << Libc.SIGINT - 1, FuseCaller.pending(STATUS));
    assertEquals(0, FuseCaller.pending("Name:\tpostgres\n"));
    assertEquals(
        1L << 63, FuseCaller.pending("ShdPnd:\t8000000000000000\nSigBlk:\t0000000000000000\n"));
  }
}
