package dev.varve.crd;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.databind.DatabindException;
import com.fasterxml.jackson.databind.DeserializationContext;
import com.fasterxml.jackson.databind.JsonDeserializer;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;

/**
 * Reads a Timeline's spec, also one with values of another kind, which an older definition let in:
 * one object must not keep anybody from reading all the others.
 */
final class TimelineSpecReader extends JsonDeserializer<TimelineSpec> {
  @Override
  public TimelineSpec deserialize(JsonParser parser, DeserializationContext context)
      throws IOException {
    JsonNode node = context.readTree(parser);
    try {
      return context.readTreeAsValue(node, TimelineSpec.class);
    } catch (DatabindException e) {
      return new TimelineSpec(
          node.path("tenant").asText(""), Source.UNREADABLE, DeletionPolicy.Retain);
    }
  }
}
