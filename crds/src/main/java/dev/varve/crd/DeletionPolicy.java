package dev.varve.crd;

/** What happens to the data when its resource is deleted. The names are the API's. */
public enum DeletionPolicy {
  /** The objects are removed. */
  Delete,
  /** The objects stay, and can be attached again. */
  Retain
}
