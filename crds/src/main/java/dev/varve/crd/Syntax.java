package dev.varve.crd;

/**
 * What a person may write for names and addresses, as regular expressions of the whole text. The
 * definitions hold the API server to them, and the operator holds what is stored to them again: an
 * object may be older than a rule. They are common to Go's RE2 and to Java.
 */
public final class Syntax {
  private static final String LABEL = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?";
  private static final String HOST_LABEL = "[A-Za-z0-9_]([-A-Za-z0-9_]{0,61}[A-Za-z0-9_])?";
  private static final String LABEL_VALUE = "[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?";

  /** A DNS label: a tenant's name. */
  public static final String NAME = "^" + LABEL + "$";

  /** A DNS subdomain: the name of a Secret. */
  public static final String SECRET_NAME = "^" + LABEL + "([.]" + LABEL + ")*$";

  /** A key of a Secret: neither {@code .} nor anything that starts with two dots. */
  public static final String SECRET_KEY = "^[.]?[-_a-zA-Z0-9][-._a-zA-Z0-9]*$";

  /**
   * A host name or IPv4 address, perhaps with the dot that ends a full name; or what an IPv6
   * address is made of, which has two colons at least. No port, no user, no scheme.
   */
  public static final String HOST =
      "^("
          + HOST_LABEL
          + "([.]"
          + HOST_LABEL
          + ")*[.]?"
          + "|[0-9A-Fa-f]{0,4}(:[0-9A-Fa-f]{0,4}){2,7}(:[0-9]{1,3}([.][0-9]{1,3}){3})?)$";

  /** What PostgreSQL can name a role or database: anything but control characters. */
  public static final String IDENTIFIER = "^[^\\x00-\\x1f\\x7f-\\x{9f}]+$";

  /** A timeline's id. */
  public static final String TIMELINE_ID = "^[0-9a-f]{32}$";

  /** A replication slot's name, {@code PostgreSQL 17 src/backend/replication/slot.c}. */
  public static final String SLOT = "^[a-z0-9_]{1,63}$";

  /**
   * An amount of WAL, such as {@code 50Gi}; of six digits, so that its bytes are a {@code long}.
   */
  public static final String WAL_SIZE = "^[1-9][0-9]{0,5}(Mi|Gi|Ti)$";

  /** A label's key: perhaps a DNS subdomain and a slash, then a name. */
  public static final String LABEL_KEY =
      "^(" + LABEL + "([.]" + LABEL + ")*/)?" + LABEL_VALUE + "$";

  /** A label's value, which may be empty. */
  public static final String LABEL_TEXT = "^(" + LABEL_VALUE + ")?$";

  /** {@code PostgreSQL 17 src/include/pg_config_manual.h}: {@code NAMEDATALEN} without the NUL. */
  public static final int MAX_IDENTIFIER_BYTES = 63;

  /** So long that {@code varve-NAME-token} is a DNS label. */
  public static final int MAX_TENANT_CHARACTERS = 51;

  /** So long that {@code varve-NAME} is a DNS label. */
  public static final int MAX_TIMELINE_CHARACTERS = 57;

  private Syntax() {}
}
