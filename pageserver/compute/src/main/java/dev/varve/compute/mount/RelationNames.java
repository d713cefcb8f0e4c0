package dev.varve.compute.mount;

import dev.varve.compute.page.RelationFork;

/**
 * Names of relation segments as one {@code long}: relation number, fork (2 bits), segment (15
 * bits), so that many take little. As PostgreSQL's {@code relpath} and {@code _mdfd_segpath} write
 * them (PostgreSQL 17 src/common/relpath.c, src/backend/storage/smgr/md.c); no relation has the
 * number 0.
 */
final class RelationNames {
  private static final int SEGMENT_BITS = 15;
  private static final String[] SUFFIXES = {"", "_fsm", "_vm", "_init"};

  private RelationNames() {}

  static long key(int relation, int fork, int segment) {
    return (Integer.toUnsignedLong(relation) << 2 | fork) << SEGMENT_BITS | segment;
  }

  static int relation(long key) {
    return (int) (key >>> SEGMENT_BITS + 2);
  }

  static int fork(long key) {
    return (int) (key >>> SEGMENT_BITS) & 3;
  }

  static int segment(long key) {
    return (int) key & (1 << SEGMENT_BITS) - 1;
  }

  /** The segments of a fork: one, though it be empty. */
  static int segments(long blocks) {
    return (int) Math.max(1, (blocks + BlockSet.SEGMENT_BLOCKS - 1) / BlockSet.SEGMENT_BLOCKS);
  }

  static String name(long key) {
    return new RelationFork(0, 0, relation(key), fork(key)).fileName(segment(key));
  }

  /** The key of a name; 0 when it is not one of a relation segment. */
  static long parse(String name) {
    int dot = name.indexOf('.');
    String base = dot < 0 ? name : name.substring(0, dot);
    long segment = dot < 0 ? 0 : number(name.substring(dot + 1), (1 << SEGMENT_BITS) - 1);
    int underscore = base.indexOf('_');
    String suffix = underscore < 0 ? "" : base.substring(underscore);
    long relation = number(underscore < 0 ? base : base.substring(0, underscore), 0xFFFFFFFFL);
    if (relation == 0 || dot >= 0 && segment == 0) {
      return 0;
    }
    for (int fork = 0; fork < SUFFIXES.length; fork++) {
      if (SUFFIXES[fork].equals(suffix)) {
        return key((int) relation, fork, (int) segment);
      }
    }
    return 0;
  }

  /** A number from 1 to {@code most} without leading zeros; 0 when the text is none. */
  private static long number(String text, long most) {
    if (text.isEmpty() || text.length() > 10 || text.charAt(0) == '0') {
      return 0;
    }
    long value = 0;
    for (int i = 0; i < text.length(); i++) {
      char digit = text.charAt(i);
      if (digit < '0' || digit > '9') {
        return 0;
      }
      value = value * 10 + digit - '0';
    }
    return value > most ? 0 : value;
  }
}
