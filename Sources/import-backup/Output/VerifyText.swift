import Operations
import System

/// What a verification found, in words.
enum VerifyText {
  /// The line on standard output; only a timeline that is sound is said to be verified.
  static func line(_ summary: VerifySummary) -> String {
    let parts = [
      Quantity.count(summary.layerCount, "layer"),
      Quantity.bytes(summary.byteCount),
      Quantity.count(summary.keyCount, "key"),
      Quantity.count(summary.pageCount, "page"),
      summary.isCompared
        ? "\(Quantity.count(summary.comparedPageCount, "page")) compared" : "not compared",
      Quantity.count(summary.findingCount, "finding"),
      Quantity.duration(summary.seconds),
    ]
    let verb = summary.findingCount == 0 ? "verified" : "checked"
    return "\(verb) Postgres \(summary.postgresVersion) timeline, LSN \(summary.importLSN) to "
      + "\(summary.endLSN): \(parts.joined(separator: ", "))"
  }

  /// The lines on standard error: what was not looked at, and what is wrong.
  static func notes(_ summary: VerifySummary) -> [String] {
    var lines: [String] = []
    if summary.isWrittenOn {
      lines.append("note: a pageserver has written on this timeline: its structure was checked")
      let keys = Quantity.count(summary.unreplayedKeyCount, "key")
      lines.append("note: \(keys) need WAL to be replayed and were not compared")
    }
    lines += summary.findings.map { "finding: \($0.message)" }
    let rest = summary.findingCount - min(UInt64(summary.findings.count), summary.findingCount)
    if rest > 0 { lines.append("note: \(Quantity.count(rest, "more finding")) not shown") }
    return lines
  }

  /// The error that the command ends with where something is wrong.
  static func failure(_ summary: VerifySummary) -> Failure? {
    guard summary.findingCount > 0 else { return nil }
    let findings = Quantity.count(summary.findingCount, "finding")
    return Failure(
      .difference,
      summary.isCompared
        ? "timeline \(summary.timelinePath.quoted) differs from the backup: \(findings)"
        : "timeline \(summary.timelinePath.quoted) is not sound: \(findings)")
  }
}
