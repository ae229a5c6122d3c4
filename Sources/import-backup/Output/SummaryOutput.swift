import FoundationEssentials
import Operations
import System

/// Prints the result of an import.
enum SummaryOutput {
  /// Writes the result to standard output, then warnings and notes to standard error.
  ///
  /// The result is one line of text, or one JSON object that contains everything in the notes.
  /// Warnings are always written. If standard output cannot be written, the error says where the
  /// finished timeline is.
  static func write(_ summary: ImportSummary, asJSON: Bool, isQuiet: Bool) throws(Failure) {
    do throws(Failure) {
      let result = asJSON ? try json(summary) : SummaryText.line(summary)
      try StandardStream.output.write(result + "\n")
    } catch {
      let hint = "The timeline at \(summary.timelinePath.quoted) is complete."
      throw Failure(error.code, error.message, hint: hint)
    }
    let warnings = SummaryText.warnings(summary)
    StandardStream.error.writeIfPossible(warnings.map { $0 + "\n" }.joined())
    if asJSON { return }
    let notes = isQuiet ? [SummaryText.path(summary)] : SummaryText.notes(summary)
    StandardStream.error.writeIfPossible(notes.map { $0 + "\n" }.joined())
  }

  /// Writes the JSON object of an import that failed a check to standard output: the error's code
  /// and message, and everything that the check found. Other failures have no object.
  static func write(findingsOf error: Failure) throws(Failure) {
    guard let findings = error.findings else { return }
    try StandardStream.output.write(try json(error, findings) + "\n")
  }

  private static func json(
    _ error: Failure, _ findings: some FailureFindings
  ) throws(Failure) -> String {
    try json(
      FailedImport(
        code: error.code.rawValue, exitCode: error.exitCode.rawValue, error: error.message,
        hint: error.hint,
        findings: findings))
  }

  private struct FailedImport<Findings: FailureFindings>: Encodable {
    var schema = 1
    var code: String
    var exitCode: Int32
    var error: String
    var hint: String?
    var findings: Findings
  }

  /// A summary as one line of JSON with sorted keys.
  static func json(_ summary: some Encodable) throws(Failure) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
      return String(decoding: try encoder.encode(summary), as: UTF8.self)
    } catch {
      throw Failure(.bug, "cannot write the summary as JSON: \(error)")
    }
  }
}
