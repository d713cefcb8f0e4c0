package dev.varve.crd;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.databind.DatabindException;
import com.fasterxml.jackson.databind.DeserializationContext;
import com.fasterxml.jackson.databind.JsonDeserializer;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;

/** Reads a Tenant's spec, as {@link TimelineSpecReader} a Timeline's. */
final class TenantSpecReader extends JsonDeserializer<TenantSpec> {
  @Override
  public TenantSpec deserialize(JsonParser parser, DeserializationContext context)
      throws IOException {
    JsonNode node = context.readTree(parser);
    try {
      return context.readTreeAsValue(node, TenantSpec.class);
    } catch (DatabindException e) {
      return TenantSpec.UNREADABLE;
    }
  }
}
