import System

/// Everything that the checks of a backup found, for who wants more than an error's one line.
///
/// The JSON object of an import that they ended holds it.
public struct BackupFindings: FailureFindings, Codable, Equatable {
  /// What the pages' checksums said; nil if they did not end the import.
  public var pageChecksums: PageChecksumSummary?
  /// What the manifest said; nil if it did not end the import.
  public var manifest: ManifestSummary?

  /// How many findings of a kind a person is shown.
  private static let shownCount = 20

  /// The first 20 in words, a line each, and how many more there are.
  public var lines: [String] {
    (pageChecksums?.lines ?? []) + (manifest?.lines ?? [])
  }

  /// The first 20 findings, a line each, and a last line with how many of `count` are not shown.
  package static func lines(
    _ findings: [some CustomStringConvertible], of count: UInt64
  ) -> [String] {
    let shown = findings.prefix(shownCount).map { $0.description }
    let rest = count - UInt64(shown.count)
    return shown + (rest > 0 ? ["and \(rest) more"] : [])
  }
}

extension PageChecksumSummary {
  /// The first 20 damaged pages in words, a line each, and how many more there are.
  public var lines: [String] { BackupFindings.lines(damagedPages, of: damagedPageCount) }
}
