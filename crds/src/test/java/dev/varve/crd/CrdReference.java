package dev.varve.crd;

import com.fasterxml.jackson.databind.JsonNode;
import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceColumnDefinition;
import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinition;
import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinitionNames;
import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinitionVersion;
import io.fabric8.kubernetes.api.model.apiextensions.v1.JSONSchemaProps;
import io.fabric8.kubernetes.api.model.apiextensions.v1.ValidationRule;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** The reference of a resource, {@code docs/reference/KIND.md}, as its definition says it. */
final class CrdReference {
  /** One field. */
  private record Row(String path, JSONSchemaProps schema, boolean required) {}

  private final CustomResourceDefinitionNames names;
  private final CustomResourceDefinitionVersion version;
  private final String group;
  private final StringBuilder out = new StringBuilder();

  private CrdReference(CustomResourceDefinition crd) {
    this.names = crd.getSpec().getNames();
    this.version = crd.getSpec().getVersions().getFirst();
    this.group = crd.getSpec().getGroup();
  }

  /** Where the document is, from this module's directory. */
  static Path document(CustomResourceDefinition crd) {
    String kind = crd.getSpec().getNames().getKind().toLowerCase(Locale.ROOT);
    return Path.of("..", "docs", "reference", kind + ".md");
  }

  static String markdown(CustomResourceDefinition crd) {
    return new CrdReference(crd).markdown();
  }

  private String markdown() {
    JSONSchemaProps root = version.getSchema().getOpenAPIV3Schema();
    line("# " + names.getKind());
    line("");
    line(root.getDescription());
    line("");
    line("Made from the definition; [testing](../testing.md#kubernetes) says how to renew it.");
    line("");
    line("| | |");
    line("|---|---|");
    line("| `apiVersion` | `" + group + "/" + version.getName() + "` |");
    line("| `kind` | `" + names.getKind() + "`, in a namespace |");
    line("| `kubectl get` | " + code(spoken()) + " |");
    List<Row> specs = rows("spec", root);
    List<Row> statuses = rows("status", root);
    fields("Spec", root.getProperties().get("spec"), specs, true);
    rules(root, specs);
    fields("Status", root.getProperties().get("status"), statuses, false);
    columns();
    return out.toString();
  }

  private List<String> spoken() {
    List<String> spoken = new ArrayList<>();
    // The plural name alone is one of other operators, too.
    spoken.addAll(names.getShortNames());
    spoken.add(names.getPlural() + "." + group);
    spoken.addAll(names.getCategories());
    return spoken;
  }

  private static List<Row> rows(String part, JSONSchemaProps root) {
    List<Row> rows = new ArrayList<>();
    collect(part, root.getProperties().get(part), rows);
    return rows;
  }

  private static void collect(String path, JSONSchemaProps schema, List<Row> rows) {
    JSONSchemaProps holder = schema;
    String below = path + ".";
    if (schema.getItems() != null && schema.getItems().getSchema().getProperties() != null) {
      holder = schema.getItems().getSchema();
      below = path + "[].";
    }
    Map<String, JSONSchemaProps> children = holder.getProperties();
    if (children == null) {
      return;
    }
    List<String> required = holder.getRequired() == null ? List.of() : holder.getRequired();
    for (Map.Entry<String, JSONSchemaProps> child : children.entrySet()) {
      String at = below + child.getKey();
      rows.add(new Row(at, child.getValue(), required.contains(child.getKey())));
      collect(at, child.getValue(), rows);
    }
  }

  private void fields(String title, JSONSchemaProps part, List<Row> rows, boolean wanted) {
    line("");
    line("## " + title);
    line("");
    line(part.getDescription());
    line("");
    line(wanted ? "| Field | Type | Default | Meaning |" : "| Field | Type | Meaning |");
    line(wanted ? "|---|---|---|---|" : "|---|---|---|");
    for (Row row : rows) {
      String type = type(row.schema());
      if (wanted) {
        String otherwise = row.required() ? "required" : fallback(row.schema().getDefault());
        cells("`" + row.path() + "`", type, otherwise, text(row.schema().getDescription()));
      } else {
        cells("`" + row.path() + "`", type, text(row.schema().getDescription()));
      }
    }
  }

  private void rules(JSONSchemaProps root, List<Row> rows) {
    List<String[]> rules = new ArrayList<>();
    rules("", root, rules);
    rules("spec", root.getProperties().get("spec"), rules);
    for (Row row : rows) {
      rules(row.path(), row.schema(), rules);
    }
    if (rules.isEmpty()) {
      return;
    }
    line("");
    line("Beyond types, lengths and ranges the API server refuses what breaks one of these:");
    line("");
    line("| Of | Holds | Else the message is |");
    line("|---|---|---|");
    rules.forEach(this::cells);
  }

  private static void rules(String path, JSONSchemaProps schema, List<String[]> into) {
    List<ValidationRule> rules = schema.getXKubernetesValidations();
    if (rules == null) {
      return;
    }
    for (ValidationRule rule : rules) {
      into.add(
          new String[] {
            path.isEmpty() ? "the resource" : "`" + path + "`",
            "`" + rule.getRule().replace("|", "\\|") + "`",
            text(rule.getMessage())
          });
    }
  }

  private void columns() {
    line("");
    line("## Columns of `kubectl get`");
    line("");
    line("| Column | Shows | With |");
    line("|---|---|---|");
    for (CustomResourceColumnDefinition column : version.getAdditionalPrinterColumns()) {
      Integer priority = column.getPriority();
      cells(
          column.getName(),
          "`" + column.getJsonPath() + "`",
          priority == null || priority == 0 ? "" : "`-o wide`");
    }
  }

  /** A type with what may be written of it. */
  private static String type(JSONSchemaProps schema) {
    if (schema.getEnum() != null && !schema.getEnum().isEmpty()) {
      return schema.getEnum().stream()
          .map(v -> "`" + v.asText() + "`")
          .collect(Collectors.joining(", "));
    }
    if (schema.getItems() != null) {
      JSONSchemaProps item = schema.getItems().getSchema();
      return "list of " + (item.getProperties() == null ? type(item) + "s" : "objects");
    }
    if (schema.getAdditionalProperties() != null
        && schema.getAdditionalProperties().getSchema() != null) {
      return "map of " + schema.getAdditionalProperties().getSchema().getType() + "s";
    }
    StringBuilder type = new StringBuilder(schema.getType());
    range(type, number(schema.getMinimum()), number(schema.getMaximum()), "");
    range(type, schema.getMinLength(), schema.getMaxLength(), " characters");
    range(type, schema.getMinItems(), schema.getMaxItems(), " entries");
    if (schema.getPattern() != null) {
      type.append(", `").append(schema.getPattern().replace("|", "\\|")).append('`');
    }
    return type.toString();
  }

  private static @Nullable Long number(@Nullable Double value) {
    return value == null ? null : Long.valueOf(value.longValue());
  }

  private static void range(
      StringBuilder type, @Nullable Long least, @Nullable Long most, String unit) {
    if (least != null && most != null) {
      type.append(", ").append(least).append(" to ").append(most).append(unit);
    } else if (least != null) {
      type.append(", at least ").append(least).append(unit);
    } else if (most != null) {
      type.append(", at most ").append(most).append(unit);
    }
  }

  private static String fallback(@Nullable JsonNode value) {
    return value == null ? "" : "`" + (value.isTextual() ? value.asText() : value) + "`";
  }

  private static String code(List<String> words) {
    return words.stream().map(w -> "`" + w + "`").collect(Collectors.joining(", "));
  }

  private static String text(@Nullable String text) {
    return text == null ? "" : text.replace("|", "\\|").replace('\n', ' ');
  }

  private void cells(String... cells) {
    line("| " + String.join(" | ", cells) + " |");
  }

  private void line(String line) {
    out.append(line).append('\n');
  }
}
