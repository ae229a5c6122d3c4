import Operations
import System

/// `verify`: reads a timeline back, and compares it with a backup.
struct VerifyCommand: Command {
  static let name = "verify"
  static let operands = "TIMELINE"
  static let summary = "read every layer and every key of a timeline"
  static let discussion = [
    """
    TIMELINE is the directory with index_part.json-*, of which that of the highest generation \
    counts. Everything that a pageserver would read is read and checked; what is wrong is listed, \
    and the exit code is 1 then. With --against, every page and every other value is compared with \
    what an import of that backup stores.
    """,
    """
    A timeline that a pageserver has written on is checked in its structure only.
    """,
  ]

  static let options: [CommandOption<VerifyCommand>] = [
    CommandOption(
      "against", value: "BACKUP", help: "compare with this backup; - is standard input"
    ) { command, value throws(Failure) in
      guard !value.text.isEmpty else { throw .usage("'--against' lacks its value, BACKUP") }
      command.settings.backup = value.text
    },

    CommandOption(
      "strip-components", value: "N",
      help: "drop the first N directories of every name in the tar (default: 0)"
    ) { command, value throws(Failure) in
      command.settings.stripComponents = try value.integer(in: 0...1000)
    },

    CommandOption(
      "jobs", "j", value: "N", help: "batches decompressed at once (default: one a processor)"
    ) { command, value throws(Failure) in
      command.settings.jobs = try value.integer(in: 1...256)
    },

    CommandOption("json", help: "print one JSON object instead of a line, and no findings") {
      command, _ in command.printsJSON = true
    },

    CommandOption("quiet", "q", help: "show no progress") { command, _ in command.isQuiet = true },
  ]

  var settings = VerifyOptions(timeline: "")
  var printsJSON = false
  var isQuiet = false

  mutating func take(operands: [String]) throws(Failure) {
    settings.timeline = try Operands.single(
      operands, missing: "no timeline is given", single: "timeline to verify")
  }

  func run() throws(Failure) {
    try Operands.requireBackup(at: settings.backup)
    Interruption.install()
    let progress = isQuiet ? nil : ProgressLine.onTerminal()
    let summary: VerifySummary
    do {
      defer { progress?.erase() }
      summary = try verifyTimeline(settings, progress: progress)
    }
    let result =
      printsJSON ? try SummaryOutput.json(summary) : VerifyText.line(summary)
    try StandardStream.output.write(result + "\n")
    if !printsJSON {
      let notes = VerifyText.notes(summary)
      StandardStream.error.writeIfPossible(notes.map { $0 + "\n" }.joined())
    }
    if let error = VerifyText.failure(summary) { throw error }
  }
}
