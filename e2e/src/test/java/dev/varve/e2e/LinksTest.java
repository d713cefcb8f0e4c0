package dev.varve.e2e;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Links between documents lead somewhere, and from the README to each of them. */
final class LinksTest {
  private static final Path ROOT = Path.of("..").toAbsolutePath().normalize();
  private static final Pattern LINK = Pattern.compile("]\\(([^)\\s]+)\\)");
  private static final Pattern AMBIGUOUS =
      Pattern.compile(
          "kubectl [^|`\n]*(get|wait|delete|describe|explain|edit|patch)\\b[^|`\n]*"
              + "[ ,](tenants?|timelines?)\\b(?![.]varve[.]dev)[^|`\n]*");
  private static final Pattern CODE = Pattern.compile("`[^`\n]*`");
  private static final Pattern FENCE = Pattern.compile("(?ms)^```.*?^```");

  @Test
  void everyDocumentIsReached() throws IOException {
    List<String> dead = new ArrayList<>();
    Set<Path> reached = new TreeSet<>();
    Deque<Path> ahead = new ArrayDeque<>(List.of(ROOT.resolve("README.md")));
    while (!ahead.isEmpty()) {
      Path document = ahead.remove();
      if (!reached.add(document)) {
        continue;
      }
      for (String link : links(document)) {
        int hash = link.indexOf('#');
        String file = hash < 0 ? link : link.substring(0, hash);
        Path target =
            file.isEmpty() ? document : document.resolveSibling(Path.of(file)).normalize();
        if (!Files.exists(target)
            || (hash >= 0 && !anchors(target).contains(link.substring(hash + 1)))) {
          dead.add(ROOT.relativize(document) + ": " + link);
        } else if (target.toString().endsWith(".md")) {
          ahead.add(target);
        }
      }
    }
    assertEquals(List.of(), dead);
    try (Stream<Path> files = Files.walk(ROOT.resolve("docs"))) {
      Set<Path> all =
          files
              .filter(f -> f.toString().endsWith(".md"))
              .collect(Collectors.toCollection(TreeSet::new));
      all.removeAll(reached);
      assertTrue(all.isEmpty(), () -> "no link leads from README.md to " + all);
    }
  }

  /** Other operators have tenants, too: what is to be typed names Varve's by names of its own. */
  @Test
  void commandsNameResourcesByShortNames() throws IOException {
    List<String> ambiguous = new ArrayList<>();
    try (Stream<Path> files = Files.walk(ROOT.resolve("docs"))) {
      for (Path file : files.filter(f -> f.toString().endsWith(".md")).toList()) {
        AMBIGUOUS
            .matcher(Files.readString(file))
            .results()
            .forEach(found -> ambiguous.add(ROOT.relativize(file) + ": " + found.group()));
      }
    }
    assertEquals(List.of(), ambiguous);
  }

  private static List<String> links(Path document) throws IOException {
    return LINK.matcher(CODE.matcher(prose(document)).replaceAll(""))
        .results()
        .map(found -> found.group(1))
        .filter(link -> !link.contains("://"))
        .toList();
  }

  /** The text without what is shown as it is. */
  private static String prose(Path document) throws IOException {
    return FENCE.matcher(Files.readString(document)).replaceAll("");
  }

  /** Of each heading what a link to it ends with. */
  private static Set<String> anchors(Path document) throws IOException {
    return Pattern.compile("(?m)^#+ (.+)$")
        .matcher(prose(document))
        .results()
        .map(LinksTest::anchor)
        .collect(Collectors.toSet());
  }

  private static String anchor(MatchResult heading) {
    return heading
        .group(1)
        .toLowerCase(Locale.ROOT)
        .replaceAll("[^\\p{L}\\p{N} _-]", "")
        .replace(' ', '-');
  }
}
