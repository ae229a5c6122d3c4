import BackupImport
import FoundationEssentials
import PostgresFormat

/// Prints what an import did.
enum SummaryOutput {
  /// Writes the result to standard output, then the notes to standard error.
  ///
  /// The result is one line for a person, or one JSON object, which holds all that the notes say.
  /// Where standard output takes nothing, the error says where the finished timeline is.
  static func write(_ summary: ImportSummary, asJSON: Bool, isQuiet: Bool) throws(ImportError) {
    do throws(ImportError) {
      let result = asJSON ? try json(summary) : SummaryText.line(summary)
      try StandardStream.output.write(result + "\n")
    } catch {
      let hint = "The timeline is complete at \(summary.timelinePath.quoted)."
      throw ImportError(error.code, error.message, hint: hint)
    }
    if asJSON { return }
    let notes = isQuiet ? [SummaryText.path(summary)] : SummaryText.notes(summary)
    StandardStream.error.writeIfPossible(notes.map { $0 + "\n" }.joined())
  }

  /// A summary as one line of JSON, its keys sorted.
  static func json(_ summary: some Encodable) throws(ImportError) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
      return String(decoding: try encoder.encode(summary), as: UTF8.self)
    } catch {
      throw ImportError(.bug, "cannot write the summary as JSON: \(error)")
    }
  }
}
