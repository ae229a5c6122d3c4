import Glibc
import Operations
import System

/// `export`: a timeline becomes a backup again.
struct ExportCommand: Command {
  static let name = "export"
  static let operands = "TIMELINE"
  static let summary = "turn a timeline into a backup again"
  static let discussion = [
    """
    TIMELINE is the directory of a timeline that was imported, DIR/tenants/TENANT/timelines/TIMELINE. \
    The backup is a tar of a data directory that Postgres of the same version starts from as after \
    a clean shutdown; with --for-pageserver it is what a pageserver gives out as fullbackup. It goes \
    to standard output, which must not be a terminal, or to a file, which is there when it is \
    complete.
    """,
    """
    A timeline that a pageserver has written on holds WAL records, which only a pageserver can \
    replay; it is refused.
    """,
  ]

  static let options: [CommandOption<ExportCommand>] = [
    CommandOption(
      "output", "o", value: "FILE", help: "write to FILE (default: -, standard output)"
    ) { command, value in
      command.file = value.text == "-" ? nil : value.text
    },
    CommandOption("force", "f", help: "replace FILE where it is there already") {
      command, _ in command.replacesFile = true
    },
    CommandOption("for-pageserver", help: "write what a pageserver's fullbackup is") {
      command, _ in command.settings.forPageserver = true
    },
    CommandOption(
      "jobs", "j", value: "N", help: "batches decompressed at once (default: one a processor)"
    ) { command, value throws(Failure) in
      command.settings.jobs = try value.integer(in: 1...256)
    },
    CommandOption("quiet", "q", help: "show no progress and no notes") { command, _ in
      command.isQuiet = true
    },
  ]

  var settings = ExportOptions(timeline: "", output: .standardOutput)
  /// Nil for standard output.
  var file: String?
  var replacesFile = false
  var isQuiet = false

  mutating func take(operands: [String]) throws(Failure) {
    settings.timeline = try Operands.single(
      operands, missing: "no timeline is given", single: "timeline to export")
    guard let file else { return }
    guard !file.isEmpty else { throw .usage("'--output' wants a file's name") }
    settings.output = replacesFile ? .file(file) : .newFile(file)
  }

  func run() throws(Failure) {
    if settings.output == .standardOutput && isatty(STDOUT_FILENO) == 1 {
      throw .usage(
        "standard output is a terminal, and a backup is nothing to look at",
        hint: "Send it to a file with --output, or into a pipe.")
    }
    Interruption.install()
    let progress = isQuiet ? nil : ProgressLine.onTerminal()
    let summary: ExportSummary
    do {
      defer { progress?.erase() }
      summary = try exportTimeline(settings, progress: progress)
    }
    if !isQuiet { StandardStream.error.writeIfPossible(Self.note(of: summary)) }
  }

  /// A line for standard error: standard output may be the backup.
  static func note(of summary: ExportSummary) -> String {
    let parts = [
      Quantity.count(summary.databaseCount, "database"),
      Quantity.count(summary.fileCount, "file"), Quantity.count(summary.pageCount, "page"),
      Quantity.bytes(summary.byteCount), Quantity.duration(summary.seconds),
    ]
    let title = "exported Postgres \(summary.postgresVersion) at LSN \(summary.endLSN)"
    return "note: \(title): \(parts.joined(separator: ", "))\n"
  }
}
