import PostgresFormat

/// Something to look at although a timeline is complete.
public struct Warning: Codable, Equatable, Sendable {
  /// What it is about.
  public var code: WarningCode
  /// One line: lower case, no final period.
  public var message: String

  /// A warning of this kind.
  public init(_ code: WarningCode, _ message: String) {
    self.code = code
    self.message = message
  }
}

/// What there is to look at although a timeline is complete, as a script tells it.
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
      "The object store ignores conditions, so another import or publication of the same timeline at the "
        + "same moment might not be noticed."
    case .remainsNotRemoved:
      "Files or objects of an older timeline or of an earlier import, or that waited to be published, could "
        + "not be removed."
    }
  }
}
