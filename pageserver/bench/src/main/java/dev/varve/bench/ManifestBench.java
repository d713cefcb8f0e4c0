package dev.varve.bench;

import dev.varve.engine.layer.LayerDescriptor;
import dev.varve.engine.layer.LayerOrigin;
import dev.varve.engine.layer.Manifest;
import dev.varve.engine.layer.ManifestStore;
import dev.varve.engine.postgres.PostgresMajor;
import dev.varve.engine.store.ForwardingObjectStore;
import dev.varve.engine.store.LocalObjectStore;
import dev.varve.engine.store.ObjectStore;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * What a commit costs at 100 and at 100,000 layers, in bytes and in time, with the object store on
 * the local disk, beside a manifest that has the whole list; and what a restart reads.
 */
public final class ManifestBench {
  private static final LayerOrigin ORIGIN = new LayerOrigin(1, 2, 0, 1, 0);
  private static final String PREFIX = "tenants/t/timelines/" + ORIGIN.path();
  private static final int COMMITS = 400;

  private ManifestBench() {}

  /** No options. */
  public static void main(String[] arguments) throws IOException {
    Path parent = Path.of(System.getProperty("varve.bench.directory", "."));
    for (int layers : new int[] {100, 100_000}) {
      for (boolean whole : new boolean[] {true, false}) {
        Path directory = Files.createTempDirectory(parent, "manifest");
        run(new LocalObjectStore(directory), layers, whole);
      }
    }
  }

  private static List<LayerDescriptor> images(int count) {
    List<LayerDescriptor> images = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      images.add(
          new LayerDescriptor(
              ORIGIN, true, 0, i * 64L, i * 64L + 63, 1000, 1000, 1, i, 9000, 8000, 64, 0));
    }
    return images;
  }

  private static Manifest next(Manifest manifest) {
    long start = manifest.publishedLsn();
    int sequence = manifest.nextSequence();
    LayerDescriptor delta =
        new LayerDescriptor(
            ORIGIN, false, 0, 0, -1L, start, start + 100, 1, sequence, 9000, 8000, 64, start + 76);
    return manifest.published(List.of(delta), start + 100, start + 76, 1000, sequence + 1);
  }

  private static void run(ObjectStore objects, int layers, boolean whole) throws IOException {
    ManifestStore store = new ManifestStore(objects, PREFIX, 1);
    Manifest last =
        store.claim(0).imported(PostgresMajor.V17, 4711, 16 << 20, 1000, layers, images(layers));
    last = whole ? last : store.compact(last);
    store.commit(last);
    long[] nanos = new long[COMMITS];
    int longest = 0;
    for (int i = 0; i < COMMITS; i++) {
      long start = System.nanoTime();
      Manifest next = next(last);
      last = whole ? next : store.compact(next);
      store.commit(last);
      nanos[i] = System.nanoTime() - start;
      if (!whole) {
        store.prepare(last); // what upkeep does
      }
      longest = Math.max(longest, last.encode().length);
      store.removeOld(last.number());
    }
    Arrays.sort(nanos);
    System.out.printf(
        "%,d layers, %s: commits of up to %,d bytes, median %.2f ms, p99 %.2f ms; %s%n",
        layers,
        whole ? "the whole list in each manifest" : "changes and parts",
        longest,
        nanos[COMMITS / 2] / 1e6,
        nanos[COMMITS * 99 / 100] / 1e6,
        restart(objects));
  }

  private static String restart(ObjectStore objects) throws IOException {
    int[] reads = {0};
    ObjectStore counted =
        new ForwardingObjectStore(objects) {
          @Override
          public byte[] get(String name) throws IOException {
            reads[0]++;
            return super.get(name);
          }
        };
    long start = System.nanoTime();
    int layers = new ManifestStore(counted, PREFIX, 2).load().layers().size();
    return "%,d layers loaded from %d objects in %.1f ms"
        .formatted(layers, reads[0], (System.nanoTime() - start) / 1e6);
  }
}
