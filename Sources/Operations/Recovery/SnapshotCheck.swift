/// Why a copy without a label was recovered, of a cluster that had not been shut down.
public struct SnapshotCheck: Codable, Equatable, Sendable {
  /// What the copy was taken for one of one moment by.
  public enum Result: String, Codable, Sendable {
    /// Its pages were compared with its WAL, which showed nothing against it.
    case compared
    /// An option says it, and there was no WAL to compare its pages with.
    case assumed
  }

  /// How it was checked.
  public var result: Result
  /// Where the WAL starts that its pages were compared with; nil if there was none.
  public var startLSN: String?

  /// A check with this result.
  public init(result: Result, startLSN: String? = nil) {
    self.result = result
    self.startLSN = startLSN
  }
}
