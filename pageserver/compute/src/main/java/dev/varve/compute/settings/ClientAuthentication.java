package dev.varve.compute.settings;

/**
 * The compute's {@code pg_hba.conf}. Roles and their passwords are the original's; its own {@code
 * pg_hba.conf} belongs to its network. So whoever has a password can log in over any network with
 * it, be it kept as SCRAM or as MD5: PostgreSQL's method {@code md5} takes both (PostgreSQL 17
 * {@code CheckPWChallengeAuth} in src/backend/libpq/auth.c).
 */
final class ClientAuthentication {
  private ClientAuthentication() {}

  /**
   * @param first lines that come before all others
   * @param userNamespace whether {@code db_user_namespace} is on (15), with which PostgreSQL
   *     refuses the method {@code md5}
   */
  static String lines(String first, boolean userNamespace) {
    String method = userNamespace ? "scram-sha-256" : "md5";
    return """
    # Written by the Varve agent at the first start; yours to change.
    %slocal all all trust
    local replication all trust
    host all all 127.0.0.1/32 trust
    host all all ::1/128 trust
    host replication all 127.0.0.1/32 trust
    host replication all ::1/128 trust
    host all all all %s
    host replication all all %s
    """
        .formatted(first.isBlank() ? "" : first.strip() + "\n", method, method);
  }
}
