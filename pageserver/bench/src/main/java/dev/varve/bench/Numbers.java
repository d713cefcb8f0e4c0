package dev.varve.bench;

import java.util.Arrays;

/** Medians and percentiles of measurements. */
final class Numbers {
  private Numbers() {}

  static double median(double... values) {
    double[] sorted = values.clone();
    Arrays.sort(sorted);
    int middle = sorted.length / 2;
    return sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  }

  /**
   * @param sorted ascending
   * @param fraction 0.99 for the 99th percentile
   */
  static long percentile(long[] sorted, double fraction) {
    return sorted[Math.min(sorted.length - 1, (int) (sorted.length * fraction))];
  }
}
