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
      let result =
        asJSON ? try object(summary).line() : SummaryText.line(summary) + "\n"
      try StandardStream.output.write(result)
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

  /// The object of an import, on standard output as in its receipt.
  static func object(_ summary: ImportSummary) -> ResultObject<ImportSummary> {
    ResultObject(ImportCommand.self, summary)
  }

  /// A value as one line of JSON with sorted keys.
  static func json(_ value: some Encodable) throws(Failure) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
      return String(decoding: try encoder.encode(value), as: UTF8.self)
    } catch {
      throw Failure(.bug, "cannot write the result as JSON: \(error)")
    }
  }
}
