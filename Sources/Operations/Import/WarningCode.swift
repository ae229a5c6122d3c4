import PostgresFormat

/// What there is to look at although an import is complete, as a script tells it.
public enum WarningCode: String, StableCode {
  case pagesDamaged = "pages-damaged"

  /// What it means, in full sentences.
  public var meaning: String {
    switch self {
    case .pagesDamaged:
      "Pages whose checksums do not match were imported, because of '--page-checksums warn'."
    }
  }
}
