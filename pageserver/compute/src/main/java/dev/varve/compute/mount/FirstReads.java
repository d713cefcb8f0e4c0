package dev.varve.compute.mount;

import dev.varve.compute.fuse.FuseException;
import java.util.Comparator;
import java.util.List;
import java.util.Set;

/**
 * What every backend of PostgreSQL reads of its database before its first query: the catalogs that
 * the relation cache is built from, and those of planning the simplest one. A backend reads them
 * one after the other, a page or a few at a time; they are fetched side by side while PostgreSQL
 * starts.
 *
 * <p>Named by their numbers, which PostgreSQL 15 to 18 have in common (PostgreSQL 17
 * src/include/catalog). A catalog that was rewritten has another file and is read when it is
 * needed.
 */
final class FirstReads {
  /** Databases whose catalogs are worth fetching; a cluster may have thousands. */
  private static final int DATABASES = 4;

  /** Of one file; the rest is read when it is needed. */
  private static final int BLOCKS = 64;

  /** {@code template1} and {@code template0}, which few connect to. */
  private static final Set<Integer> TEMPLATES = Set.of(1, 4);

  private static final String[] FILES = {
    "1259", // pg_class
    "1249", // pg_attribute
    "2610", // pg_index
    "2601", // pg_am
    "2616", // pg_opclass
    "2603", // pg_amproc
    "2687", // pg_opclass_oid_index
    "2655", // pg_amproc_fam_proc_index
    "2662", // pg_class_oid_index
    "2659", // pg_attribute_relid_attnum_index
    "2679", // pg_index_indexrelid_index
    "2684", // pg_namespace_nspname_index
    "2615", // pg_namespace
    "2663", // pg_class_relname_nsp_index
    "2689", // pg_operator_oprname_l_r_n_index
    "2617", // pg_operator
    "2688", // pg_operator_oid_index
    "2690", // pg_proc_oid_index
    "2703", // pg_type_oid_index
    "1247", // pg_type
    "2678", // pg_index_indrelid_index
    "3379", // pg_statistic_ext_relid_index
    "2654", // pg_amop_opr_fam_index
    "2602", // pg_amop
    "2696", // pg_statistic_relid_att_inh_index
    "2653", // pg_amop_fam_strat_index
  };

  private FirstReads() {}

  /** Databases in the order in which PostgreSQL is likely to need their lists. */
  static List<Node.Directory> inOrder(List<Node.Directory> directories) {
    return directories.stream()
        .sorted(Comparator.comparing(directory -> TEMPLATES.contains(directory.database)))
        .toList();
  }

  /** Those of the databases for which fetching is worth it. */
  static List<Node.Directory> chosen(List<Node.Directory> directories) {
    return directories.stream()
        .filter(directory -> !TEMPLATES.contains(directory.database))
        .limit(DATABASES)
        .toList();
  }

  /** Fetches them for a database. Returns when the last is on its way. */
  static void fetch(DirectoryListing listing, Node.Directory directory) throws FuseException {
    for (String name : FILES) {
      LocalFile file = listing.content(directory, name);
      if (file != null) {
        file.fetchFirst(BLOCKS);
      }
    }
  }
}
