package dev.varve.server.attachment;

/**
 * What an attachment is about.
 *
 * <pre>
 *   LOADING ---> COPYING ---> CATCHING_UP ---> ACTIVE <---> SOURCE_FAILING
 *      |                           ^
 *      +---------------------------+           any ---> BROKEN, HANDED_OVER, SOURCE_GIVEN_UP
 * </pre>
 *
 * A base backup that fails for its source's sake shows as SOURCE_FAILING too and starts over.
 */
public enum AttachmentState {
  /** Reading the manifest. */
  LOADING,
  /** Taking the base backup. */
  COPYING,
  /** Receiving WAL up to the end of the base backup; nothing can be read yet. */
  CATCHING_UP,
  /** Reads are served; WAL is received, or there is no source to receive it from. */
  ACTIVE,
  /**
   * The source, or what takes the WAL in, is failing and tried again; reads are served where they
   * were.
   */
  SOURCE_FAILING,
  /**
   * Nothing is received any more, since the primary had to keep more WAL than the user allows for;
   * reads are served where they were.
   */
  SOURCE_GIVEN_UP,
  /** Stopped by an error that a person must look at. */
  BROKEN,
  /**
   * Reads of what was received are served; another pageserver is about to receive what follows, or
   * does so already.
   */
  HANDED_OVER
}
