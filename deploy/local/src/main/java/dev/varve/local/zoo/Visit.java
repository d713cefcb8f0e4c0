package dev.varve.local.zoo;

import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/** What was found at one animal on one major. Not thread-safe. */
final class Visit {
  private static final int MESSAGE_CHARACTERS = 1000;
  private static final int REPORTED = 12;

  private final Animal animal;
  private final int major;
  private final Map<Comparison, List<String>> complaints = new EnumMap<>(Comparison.class);
  private String unbuilt = "";

  Visit(Animal animal, int major) {
    this.animal = animal;
    this.major = major;
  }

  /** A comparison; what it returns or throws are complaints. */
  interface Look {
    List<String> complaints() throws Exception;
  }

  Animal animal() {
    return animal;
  }

  int major() {
    return major;
  }

  /** Carries a comparison out; false when there are complaints. */
  boolean compare(Comparison comparison, Look look) throws InterruptedException {
    List<String> list = complaints.computeIfAbsent(comparison, key -> new ArrayList<>());
    int before = list.size();
    try {
      list.addAll(look.complaints());
    } catch (InterruptedException e) {
      throw e;
    } catch (Exception e) {
      list.add(message(e));
    }
    return list.size() == before;
  }

  /** The animal itself could not be made: nothing is said about Varve. */
  void notBuilt(Exception e) {
    unbuilt = message(e);
  }

  String unbuilt() {
    return unbuilt;
  }

  private static String message(Throwable e) {
    String text = e.getMessage() == null ? e.toString() : e.getMessage();
    return text.length() > MESSAGE_CHARACTERS
        ? text.substring(0, 200) + " … " + text.substring(text.length() - MESSAGE_CHARACTERS + 200)
        : text;
  }

  boolean compared(Comparison comparison) {
    return complaints.containsKey(comparison);
  }

  List<String> complaints(Comparison comparison) {
    return complaints.getOrDefault(comparison, List.of());
  }

  /** What differs, a line each. */
  List<String> report() {
    List<String> lines = new ArrayList<>();
    if (!unbuilt.isEmpty()) {
      lines.add("cannot be built: " + unbuilt);
    }
    complaints.forEach((comparison, list) -> {
      for (String line : list.subList(0, Math.min(list.size(), REPORTED))) {
        lines.add(comparison.title() + ": " + line.replace("\n", "\n    "));
      }
      if (list.size() > REPORTED) {
        lines.add(comparison.title() + ": … and " + (list.size() - REPORTED) + " more");
      }
    });
    return lines;
  }

  boolean isEqual() {
    return unbuilt.isEmpty() && complaints.values().stream().allMatch(List::isEmpty);
  }
}
