import LayerFormat

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

/// What is wrong with keys and their values.
extension Findings {
  /// Adds what is wrong with a value.
  mutating func add(about meaning: KeyMeaning, _ message: String) {
    add(Finding(message: message, file: meaning.file.path, block: meaning.file.block))
  }

  /// Adds what does not follow the grammar of the key space.
  mutating func add(_ fault: KeyspaceFault) {
    add(Finding(message: fault.message, file: fault.file.path, block: fault.file.block))
  }
}
