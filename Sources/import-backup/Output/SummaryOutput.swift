import FoundationEssentials
import ObjectStore
import Operations
import System

/// Prints the result of an import.
enum SummaryOutput {
  /// Writes the result to standard output, then warnings and notes to standard error.
  ///
  /// The result is one line of text, or one JSON object that contains everything in the notes.
  /// Warnings are always written. If standard output cannot be written, the error says where the
  /// finished timeline is.
  ///
  /// - Parameter isServed: whether the timeline is to be taken into service as well, so that there is
  ///   nothing left to do for a person.
  /// - Parameter store: how the object store was reached, for the next command.
  static func write(
    _ summary: ImportSummary, asJSON: Bool, isQuiet: Bool, isServed: Bool = false,
    store: StoreOptions = StoreOptions()
  ) throws(Failure) {
    try write(
      asJSON ? try object(summary).line() : SummaryText.line(summary) + "\n", of: summary)
    let warnings = SummaryText.warnings(summary)
    StandardStream.error.writeIfPossible(warnings.map { $0 + "\n" }.joined())
    if asJSON { return }
    let notes =
      isQuiet
      ? [SummaryText.path(summary)]
      : SummaryText.notes(summary, isServed: isServed, store: store)
    StandardStream.error.writeIfPossible(notes.map { $0 + "\n" }.joined())
  }

  /// Writes the object of an import that went on to take the timeline into service.
  static func write(
    _ summary: ImportSummary, _ service: AttachSummary?, _ failure: Failure?
  ) throws(Failure) {
    let object = ResultObject(
      ImportCommand.self, ServedImport(summary: summary, service: service), failure)
    try write(try object.line(), of: summary)
    let warnings = SummaryText.warnings(summary).map { $0 + "\n" }.joined()
    StandardStream.error.writeIfPossible(warnings + (service.map(ServiceText.warnings) ?? ""))
  }

  private static func write(_ result: String, of summary: ImportSummary) throws(Failure) {
    let path = summary.timelinePath.quoted
    try write(
      result,
      done: summary.onlyShards == nil
        ? "The timeline at \(path) is complete."
        : "The shards of \(path) are written: once all are, run 'publish'.")
  }

  /// Writes a result to standard output; if that fails, the hint says what was `done` all the same.
  static func write(_ result: String, done: String) throws(Failure) {
    do throws(Failure) {
      try StandardStream.output.write(result)
    } catch {
      throw Failure(error.code, error.message, hint: done)
    }
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

/// An import, and where the timeline is served.
private struct ServedImport: Encodable {
  let summary: ImportSummary
  let service: AttachSummary?

  private enum Key: String, CodingKey {
    case service
  }

  func encode(to encoder: any Encoder) throws {
    try summary.encode(to: encoder)
    var container = encoder.container(keyedBy: Key.self)
    try container.encodeIfPresent(service, forKey: .service)
  }
}
