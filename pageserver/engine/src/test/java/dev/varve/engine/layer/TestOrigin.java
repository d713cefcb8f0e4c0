package dev.varve.engine.layer;

/** The timeline that tests of layers write. */
public final class TestOrigin {
  public static final String TIMELINES = "tenants/t/timelines/";
  public static final LayerOrigin ORIGIN = of(1);

  /** Of its objects. */
  public static final String PREFIX = TIMELINES + ORIGIN.path();

  private TestOrigin() {}

  /** Another timeline. */
  public static LayerOrigin of(long timeline) {
    return new LayerOrigin(0, timeline, 0, 1, 0);
  }
}
