import PostgresFormat

/// Something to look at although a verb has succeeded.
public typealias Warning = Notice<WarningCode>

/// What there is to look at although a verb has succeeded, as a script tells it.
public enum WarningCode: String, StableCode {
  case pagesDamaged = "pages-damaged"
  case unconditionalStore = "unconditional-store"
  case remainsNotRemoved = "remains-not-removed"
  case safekeepersNotGiven = "safekeepers-not-given"
  case safekeeperMissing = "safekeeper-missing"
  case safekeeperUnreachable = "safekeeper-unreachable"
  case safekeeperRefused = "safekeeper-refused"

  /// What it means, in full sentences.
  public var meaning: String {
    switch self {
    case .pagesDamaged:
      "Pages whose checksums do not match were imported, because of '--page-checksums warn'."
    case .unconditionalStore:
      "The object store ignores conditions, so another import or publication of the same timeline at the "
        + "same moment might not be noticed."
    case .remainsNotRemoved:
      "Files or objects of an older timeline or of an earlier import, or that waited to be published, could "
        + "not be removed."
    case .safekeepersNotGiven:
      "A timeline was attached without safekeepers, so computes can only read it."
    case .safekeeperMissing: "A safekeeper does not have a timeline that most others have."
    case .safekeeperUnreachable:
      "A safekeeper did not answer about a timeline that most others have."
    case .safekeeperRefused:
      "A safekeeper that the controller names does not take the token, and was not looked at."
    }
  }
}
