package dev.varve.engine.check;

import dev.varve.engine.PageserverException;
import dev.varve.engine.check.Finding.Kind;
import dev.varve.engine.store.ObjectEntry;
import dev.varve.engine.store.ObjectStore;
import dev.varve.engine.store.StoreProbe;
import dev.varve.engine.tenant.TimelineLocation;
import java.io.IOException;
import java.time.InstantSource;
import java.util.List;
import java.util.SplittableRandom;

/**
 * Checks an object store: goes through the names of its objects once, a tenant and a timeline at a
 * time. What is neither below {@code tenants/} nor below {@code probe/} is not Varve's.
 *
 * <p>A store that does not answer ends the check with an {@link IOException} or {@link
 * PageserverException.Unavailable}; what was found until then was told. One thread.
 */
public final class StoreCheck {
  private final ObjectStore store;
  private final CheckOptions options;
  private final CheckReport report;
  private final SplittableRandom random;

  /**
   * @param store is only read
   * @param clock what is young by it is not orphaned
   * @param seed of the sample of pages
   */
  public StoreCheck(
      ObjectStore store,
      CheckOptions options,
      CheckListener listener,
      InstantSource clock,
      long seed) {
    this.store = store;
    this.options = options;
    this.report = new CheckReport(listener, clock.instant(), options.grace());
    this.random = new SplittableRandom(seed);
  }

  /**
   * Checks all that the options want.
   *
   * @throws PageserverException.NotFound when there is no tenant or timeline as they name
   */
  public CheckProgress run() throws IOException {
    String tenant = options.tenant();
    ObjectCursor objects =
        new ObjectCursor(store, tenant == null ? "" : TimelineLocation.tenant(tenant));
    boolean found = tenant == null && options.timeline() == null;
    for (ObjectEntry entry = objects.peek(""); entry != null; entry = objects.peek("")) {
      String name = entry.name();
      int end = name.indexOf('/', TimelineLocation.TENANTS.length());
      if (name.startsWith(TimelineLocation.TENANTS) && end > 0) {
        String id = name.substring(TimelineLocation.TENANTS.length(), end);
        TenantCheck check = new TenantCheck(store, id, options, report, random);
        found |= check.run(objects);
      } else {
        elsewhere(entry);
        objects.advance();
      }
    }
    if (!found) {
      throw new PageserverException.NotFound(
          options.timeline() == null
              ? "the object store has no tenant " + tenant
              : "the object store has no timeline "
                  + options.timeline()
                  + (tenant == null ? "" : " of tenant " + tenant));
    }
    return report.progress;
  }

  private void elsewhere(ObjectEntry entry) {
    if (entry.name().startsWith(StoreProbe.DIRECTORY)) {
      report.unneeded(entry, "a probe of the store left it");
    } else if (entry.name().startsWith(TimelineLocation.TENANTS)) {
      report.unneeded(entry, "it belongs to no tenant");
    }
  }

  /** How far it is. */
  public CheckProgress progress() {
    return report.progress;
  }

  /** Checks what one timeline or shard has below a prefix that is in no tenant's place. */
  public CheckProgress runBelow(String prefix) throws IOException {
    TimelineCheck check = new TimelineCheck(store, prefix, options, report, random);
    List<ObjectEntry> entries = store.list(prefix);
    for (ObjectEntry entry : entries) {
      report.progress.objects.incrementAndGet();
      if (!check.add(entry)) {
        report.found(Kind.ORPHANED, entry.name(), "it is neither a manifest nor a layer");
      }
    }
    if (!entries.isEmpty()) {
      check.run();
    }
    return report.progress;
  }
}
