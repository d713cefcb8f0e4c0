package dev.varve.compute.page;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

final class PageserverChannelTest {
  @Test
  void shardsHaveAddresses() {
    assertEquals("orders:6400", PageserverChannel.address("orders:6400", 3));
    assertEquals("orders-3:6400", PageserverChannel.address("orders-{shard}:6400", 3));
    assertEquals("orders:6403", PageserverChannel.address("orders:{6400+shard}", 3));
    assertEquals("orders:6463", PageserverChannel.address("orders:{6400+shard}", 63));
    assertEquals("orders:{x+shard}", PageserverChannel.address("orders:{x+shard}", 3));
  }
}
