package dev.varve.bench;

import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.util.List;
import java.util.Locale;

/**
 * What a piece of work took.
 *
 * @param seconds that passed
 * @param cpuSeconds of the whole process: JIT compiler, garbage collector and every other thread
 *     included
 * @param threadCpuSeconds of the thread that did it, alone
 */
record Cost(double seconds, double cpuSeconds, double threadCpuSeconds) {
  /** What everything until now took; of use as the beginning of a difference. */
  static Cost now() {
    return new Cost(
        System.nanoTime() / 1e9,
        ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class).getProcessCpuTime() / 1e9,
        ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime() / 1e9);
  }

  Cost since(Cost earlier) {
    return new Cost(
        seconds - earlier.seconds,
        cpuSeconds - earlier.cpuSeconds,
        threadCpuSeconds - earlier.threadCpuSeconds);
  }

  Cost plus(Cost other) {
    return new Cost(
        seconds + other.seconds,
        cpuSeconds + other.cpuSeconds,
        threadCpuSeconds + other.threadCpuSeconds);
  }

  /** The median of each of the three. */
  static Cost median(List<Cost> costs) {
    return new Cost(
        Numbers.median(costs.stream().mapToDouble(Cost::seconds).toArray()),
        Numbers.median(costs.stream().mapToDouble(Cost::cpuSeconds).toArray()),
        Numbers.median(costs.stream().mapToDouble(Cost::threadCpuSeconds).toArray()));
  }

  @Override
  public String toString() {
    return String.format(
        Locale.ROOT, "%.2f s (cpu %.2f, this thread %.2f)", seconds, cpuSeconds, threadCpuSeconds);
  }
}
