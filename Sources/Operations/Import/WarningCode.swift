import PostgresFormat

/// What there is to look at although an import is complete, as a script tells it.
public enum WarningCode: String, StableCode {
  case pagesDamaged = "pages-damaged"
  case unconditionalStore = "unconditional-store"
  case remainsNotRemoved = "remains-not-removed"

  /// What it means, in full sentences.
  public var meaning: String {
    switch self {
    case .pagesDamaged:
      "Pages whose checksums do not match were imported, because of '--page-checksums warn'."
    case .unconditionalStore:
      "The object store ignores conditions, so another import of the same timeline at the same moment "
        + "might not be noticed."
    case .remainsNotRemoved:
      "Objects of an older timeline or of an earlier import could not be removed from the bucket."
    }
  }
}
