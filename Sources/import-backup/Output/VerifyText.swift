import Operations
import System

/// The text about a finished verification.
enum VerifyText {
  /// The line on standard output; only a timeline that was compared, without findings, is called
  /// verified.
  static func line(_ summary: VerifySummary) -> String {
    let parts: [String?] = [
      Quantity.count(summary.layerCount, "layer"),
      Quantity.bytes(summary.byteCount),
      Quantity.count(summary.keyCount, "key"),
      Quantity.count(summary.pageCount, "page"),
      summary.isCompared
        ? "\(Quantity.count(summary.comparedPageCount, "page")) compared" : nil,
      Quantity.count(summary.findingCount, "finding"),
      Quantity.duration(summary.seconds),
    ]
    let verb =
      !summary.isCompared
      ? "checked the structure of a" : summary.findingCount == 0 ? "verified" : "checked"
    let end =
      summary.isCompared ? "" : "; page contents were not compared; use --against BACKUP"
    return "\(verb) Postgres \(summary.postgresVersion) timeline, LSN \(summary.importLSN) to "
      + "\(summary.endLSN): \(parts.compactMap(\.self).joined(separator: ", "))\(end)"
  }

  /// The lines on standard error: what was not checked, and what is wrong.
  static func notes(_ summary: VerifySummary) -> [String] {
    var lines: [String] = []
    if summary.isWrittenOn {
      lines.append(
        "note: a pageserver has written to this timeline: only its structure was checked")
      let keys = Quantity.count(summary.unreplayedKeyCount, "key")
      let verbs = summary.unreplayedKeyCount == 1 ? ("needs", "was") : ("need", "were")
      lines.append("note: \(keys) \(verbs.0) WAL replay and \(verbs.1) not compared")
    }
    lines += summary.findings.map { "finding: \($0.message)" }
    let rest = summary.findingCount - min(UInt64(summary.findings.count), summary.findingCount)
    if rest > 0 { lines.append("note: \(Quantity.count(rest, "more finding")) not shown") }
    return lines
  }

  /// The error that the command ends with if something is wrong.
  static func failure(_ summary: VerifySummary) -> Failure? {
    guard summary.findingCount > 0 else { return nil }
    let findings = Quantity.count(summary.findingCount, "finding")
    return Failure(
      .difference,
      summary.isCompared
        ? "timeline \(summary.timelinePath.quoted) differs from the backup: \(findings)"
        : "timeline \(summary.timelinePath.quoted) is damaged: \(findings)")
  }
}
