import ObjectStore
import Operations
import System

/// `export`: turns a timeline back into a backup.
struct ExportCommand: ReportingCommand, StoreCommand {
  static let name = "export"
  static let operands = "TIMELINE"
  static let summary = "turn a timeline back into a backup"
  static let discussion = [
    """
    TIMELINE is the directory of an imported timeline, DIR/tenants/TENANT/timelines/TIMELINE. The \
    backup is a tar of a data directory. Postgres of the same version starts from it as after a \
    clean shutdown. With --for-pageserver, it has the format of a pageserver's fullbackup instead. \
    It is written to standard output, which must not be a terminal, or to a file, which appears \
    once it is complete.
    """,
    """
    A timeline that a pageserver has written to is refused: it contains WAL records, which only a \
    pageserver can replay.
    """,
    storeDiscussion,
  ]

  static let options: [CommandOption<ExportCommand>] = [
    CommandOption(
      "output", "o", value: "FILE", help: "file to write to (default: -, standard output)"
    ) { command, value in
      command.file = value.text == "-" ? nil : value.text
    },
    CommandOption("force", "f", help: "replace FILE if it exists") {
      command, _ in command.replacesFile = true
    },
    CommandOption(
      "for-pageserver", help: "write a pageserver's fullbackup instead of a data directory"
    ) {
      command, _ in command.settings.forPageserver = true
    },
    CommandOption(
      "jobs", "j", value: "N", help: "number of decompression threads (default: one per CPU)"
    ) { command, value throws(Failure) in
      command.settings.jobs = try value.integer(in: 1...256)
    },
    CommandOption(
      "json", help: "print the result as one JSON object; requires '--output FILE'"
    ) { command, _ in command.printsJSON = true },
    .endpointURL, .region, .caBundle,
    .progress, .quiet("show no progress and no notes"),
  ]

  var settings = ExportOptions(timeline: "", output: .standardOutput)
  /// Nil for standard output.
  var file: String?
  var replacesFile = false
  var printsJSON = false
  var reporting = ReportingOptions()

  var store: StoreOptions {
    get { settings.store }
    set { settings.store = newValue }
  }

  mutating func read(operands: [String]) throws(Failure) {
    settings.timeline = try Operands.single(
      operands, missing: "no timeline given",
      hint: "For example: import-backup export storage/tenants/TENANT/timelines/TIMELINE.")
    try requireUse(ofStoreOptionsFor: settings.timeline)
    guard let file else {
      if printsJSON {
        throw Failure(
          .conflictingOptions, "'--json' requires '--output': the backup goes to standard output",
          hint: "Give a file with '--output'.")
      }
      return
    }
    guard !file.isEmpty else { throw .missingValue(option: "output", placeholder: "FILE") }
    settings.output = replacesFile ? .file(file) : .newFile(file)
  }

  func run() throws(Failure) {
    if settings.output == .standardOutput && StandardStream.output.isTerminal {
      throw Failure(
        .terminalRefused, "refusing to write a tar to a terminal",
        hint: "Write it to a file with '--output', or pipe it to another program.")
    }
    Interruption.install()
    let summary = try ProgressReporter.run(self) { progress, _ throws(Failure) in
      try exportTimeline(settings, progress: progress)
    }
    if printsJSON {
      try StandardStream.output.write(ResultObject(Self.self, summary).line())
    } else if !reporting.isQuiet {
      StandardStream.error.writeIfPossible(Self.note(of: summary))
    }
  }

  /// The line on standard error; standard output may be the backup.
  static func note(of summary: ExportSummary) -> String {
    let parts = [
      Quantity.count(summary.databaseCount, "database"),
      Quantity.count(summary.fileCount, "file"), Quantity.count(summary.pageCount, "page"),
      Quantity.bytes(summary.outputByteCount), Quantity.duration(summary.seconds),
    ]
    let title = "exported Postgres \(summary.postgresVersion) at LSN \(summary.endLSN)"
    return "note: \(title): \(parts.joined(separator: ", "))\n"
  }
}
