package dev.varve.engine.check;

import java.util.concurrent.atomic.AtomicLong;

/** What a check has gone through so far. Any thread. */
public final class CheckProgress {
  final AtomicLong objects = new AtomicLong();
  final AtomicLong objectBytes = new AtomicLong();
  final AtomicLong timelines = new AtomicLong();
  final AtomicLong layers = new AtomicLong();
  final AtomicLong layersRead = new AtomicLong();
  final AtomicLong bytesRead = new AtomicLong();
  final AtomicLong pages = new AtomicLong();
  final AtomicLong recent = new AtomicLong();
  final AtomicLong findings = new AtomicLong();

  /** Objects that were listed. */
  public long objects() {
    return objects.get();
  }

  /** Their bytes. */
  public long objectBytes() {
    return objectBytes.get();
  }

  public long timelines() {
    return timelines.get();
  }

  /** Layers that manifests list. */
  public long layers() {
    return layers.get();
  }

  /** Those of them that were read, as far as the options want it. */
  public long layersRead() {
    return layersRead.get();
  }

  public long bytesRead() {
    return bytesRead.get();
  }

  /** Pages that were redone. */
  public long pages() {
    return pages.get();
  }

  /** Objects that nothing lists and that are too young to be called orphaned. */
  public long recent() {
    return recent.get();
  }

  public long findings() {
    return findings.get();
  }
}
