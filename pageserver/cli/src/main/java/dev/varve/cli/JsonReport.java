package dev.varve.cli;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import dev.varve.engine.check.CheckProgress;
import dev.varve.engine.check.Finding;
import java.io.IOException;
import java.io.Writer;
import org.jspecify.annotations.Nullable;

/** One object, written as the check goes on; {@code docs/reference/cli.md} has its fields. */
final class JsonReport implements FsckReport {
  private static final int FORMAT = 1;

  private final JsonGenerator json;

  JsonReport(Writer out) throws IOException {
    json = new JsonFactory().createGenerator(out);
    json.disable(JsonGenerator.Feature.AUTO_CLOSE_TARGET);
    json.useDefaultPrettyPrinter();
  }

  @Override
  public void begin(String store, boolean deep) throws IOException {
    json.writeStartObject();
    json.writeNumberField("format", FORMAT);
    json.writeStringField("store", store);
    json.writeBooleanField("deep", deep);
    json.writeArrayFieldStart("findings");
  }

  @Override
  public void finding(Finding finding) throws IOException {
    json.writeStartObject();
    json.writeStringField("kind", finding.kind().id());
    json.writeStringField("object", finding.object());
    json.writeStringField("text", finding.text());
    json.writeEndObject();
  }

  @Override
  public void end(CheckProgress progress, @Nullable String error) throws IOException {
    json.writeEndArray();
    json.writeStringField(
        "result", error != null ? "incomplete" : progress.findings() > 0 ? "findings" : "clean");
    json.writeStringField("error", error);
    json.writeObjectFieldStart("checked");
    json.writeNumberField("objects", progress.objects());
    json.writeNumberField("objectBytes", progress.objectBytes());
    json.writeNumberField("timelines", progress.timelines());
    json.writeNumberField("layers", progress.layers());
    json.writeNumberField("layersRead", progress.layersRead());
    json.writeNumberField("bytesRead", progress.bytesRead());
    json.writeNumberField("pages", progress.pages());
    json.writeNumberField("recentObjects", progress.recent());
    json.writeEndObject();
    json.writeEndObject();
    json.writeRaw(System.lineSeparator());
    json.close();
  }
}
