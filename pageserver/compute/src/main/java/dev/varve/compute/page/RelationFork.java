package dev.varve.compute.page;

/**
 * One fork of a relation.
 *
 * @param tablespace oid, 1663 for pg_default
 * @param database oid
 * @param relation {@code relfilenumber}, unsigned
 * @param fork 0 main, 1 free space map, 2 visibility map, 3 init (PostgreSQL 17
 *     src/include/common/relpath.h)
 */
public record RelationFork(int tablespace, int database, int relation, int fork) {
  public RelationFork {
    if (fork < 0 || fork > 3) {
      throw new IllegalArgumentException("fork must be 0 to 3, is " + fork);
    }
  }

  /**
   * The name of a segment's file, as PostgreSQL's {@code relpath} and {@code _mdfd_segpath} build
   * it.
   */
  public String fileName(int segment) {
    String base =
        Integer.toUnsignedString(relation)
            + switch (fork) {
              case 1 -> "_fsm";
              case 2 -> "_vm";
              case 3 -> "_init";
              default -> "";
            };
    return segment == 0 ? base : base + "." + segment;
  }
}
