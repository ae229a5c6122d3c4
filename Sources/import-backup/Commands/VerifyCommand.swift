import ObjectStore
import Operations
import System

/// `verify`: reads and checks a timeline, and compares it with a backup.
struct VerifyCommand: ReportingCommand, StoreCommand, RecoveringCommand {
  static let name = "verify"
  static let operands = "[TIMELINE]"
  static let summary = "read and check every layer and every key of a timeline"
  static let discussion = [
    """
    TIMELINE is a directory with index_part.json-* files; the one with the highest generation is \
    used. Everything that a pageserver would read is read and checked. Findings are listed, and \
    the exit code is then 1. With --against, every page and every other value is compared with \
    what an import of that backup stores.
    """,
    """
    With --receipt, every file is compared with the receipt of the import, by size and SHA-256. This \
    shows whether a copy is complete and unchanged, without the backup. TIMELINE is the copy, or, if \
    it is not given, the directory that the import wrote.
    """,
    """
    If a pageserver has written to the timeline, only its structure is checked.
    """,
    """
    With --recover-with, the BACKUP of --against is recovered on the way, as by the import, in the \
    directory of --scratch.
    """,
    storeDiscussion,
  ]

  static let options: [CommandOption<VerifyCommand>] =
    ownOptions
    + recoveryOptions(scratch: "directory for Postgres to work in, required with --recover-with")
    + [
      CommandOption("json", help: "print the result and the findings as one JSON object") {
        command, _ in command.printsJSON = true
      },

      .endpointURL, .region, .caBundle,

      .progress, .inputSize, .quiet("show no progress"),
    ]

  private static let ownOptions: [CommandOption<VerifyCommand>] = [
    CommandOption(
      "against", value: "BACKUP", help: "backup to compare with; - reads it from standard input"
    ) { command, value throws(Failure) in
      command.settings.backup = try value.nonEmpty(placeholder: "BACKUP")
    },

    CommandOption(
      "receipt", value: "FILE", help: "receipt of the import, to compare sizes and hashes with"
    ) { command, value throws(Failure) in
      command.settings.receipt = try value.nonEmpty(placeholder: "FILE")
    },

    .stripComponents(\.settings.stripComponents), .maxSize(\.settings.sizeLimit),

    CommandOption(
      "jobs", "j", value: "N", help: "number of decompression threads (default: one per CPU)"
    ) { command, value throws(Failure) in
      command.settings.jobs = try value.integer(in: 1...256)
    },
  ]

  var settings = VerifyOptions(timeline: nil)
  var recovery = RecoveryOptions(programs: "")
  var isScratchGiven = false
  var printsJSON = false
  var reporting = ReportingOptions()

  var store: StoreOptions {
    get { settings.store }
    set { settings.store = newValue }
  }

  mutating func read(operands: [String]) throws(Failure) {
    settings.recovery = try recoveryIfAny()
    if let recovery = settings.recovery {
      guard settings.backup != nil else {
        throw Failure(
          .conflictingOptions, "'--recover-with' requires '--against'",
          hint: "Give the backup to compare with.")
      }
      guard recovery.scratchParent != nil else {
        throw Failure(
          .missingArgument,
          "'--recover-with' requires '--scratch': a directory for Postgres to work in",
          hint: "It may also be given as the variable IMPORT_BACKUP_SCRATCH.")
      }
    }
    if settings.receipt != nil && operands.isEmpty { return }
    let timeline = try Operands.single(
      operands, missing: "no timeline given",
      hint: "For example: import-backup verify storage/tenants/TENANT/timelines/TIMELINE.")
    settings.timeline = timeline
    try requireUse(ofStoreOptionsFor: timeline)
  }

  func run() throws(Failure) {
    try Operands.requireBackup(at: settings.backup)
    Interruption.install()
    let summary = try ProgressReporter.run(self) { progress, reporter throws(Failure) in
      var settings = settings
      if !printsJSON && !reporting.isQuiet { settings.recovery?.announce = reporter.note }
      return try verifyTimeline(settings, progress: progress)
    }
    let failure = VerifyText.failure(summary)
    try StandardStream.output.write(
      printsJSON
        ? try ResultObject(Self.self, summary, failure).line() : VerifyText.line(summary) + "\n")
    if !printsJSON {
      let notes = VerifyText.notes(summary)
      StandardStream.error.writeIfPossible(notes.map { $0 + "\n" }.joined())
    }
    if let failure { throw failure.inResult(printsJSON) }
  }
}
