/// What a verification has found so far: the first findings, and how many there are.
struct Findings: Sendable {
  typealias Finding = VerifySummary.Finding

  /// How many findings are kept.
  static let shownCount = 20

  private(set) var shown: [Finding] = []
  private(set) var count: UInt64 = 0

  mutating func add(_ finding: Finding) {
    count += 1
    if shown.count < Self.shownCount { shown.append(finding) }
  }

  mutating func add(_ message: String) {
    add(Finding(message: message))
  }
}
