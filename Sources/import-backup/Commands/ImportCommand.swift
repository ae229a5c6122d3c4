import Operations
import System

/// `import`, the default command: a backup becomes a timeline.
struct ImportCommand: Command {
  static let name = "import"
  static let operands = "BACKUP --output DIR"
  static let summary = "turn a backup of a whole Postgres cluster into a timeline"
  static let discussion = [
    """
    BACKUP is a tar of a data directory (Postgres 14 to 17), of a cluster that was shut down \
    cleanly or as a pageserver's fullbackup gives it; - is standard input. It may be compressed \
    with gzip, lz4, zstd or xz. It is read once, from its start to its end. BACKUP may also be the \
    data directory itself, of a cluster that is stopped.
    """,
    """
    DIR gets tenants/TENANT/timelines/TIMELINE with layer files and one index_part.json, which is \
    written last: a timeline without an index is not finished. Sizes are in bytes, or take K, M \
    or G (powers of 1024).
    """,
    """
    With --recover-with, BACKUP may be of a cluster that was running, or have tablespaces: the \
    directory that pg_basebackup wrote, in tar or in plain format, or a tar that holds \
    backup_label. Postgres of the same version recovers a copy of it, which is imported and removed.
    """,
  ]

  var settings = ImportOptions(backup: "", outputDirectory: "")
  var recovery = RecoveryOptions(programs: "")
  var printsJSON = false
  var isQuiet = false

  mutating func take(operands: [String]) throws(Failure) {
    settings.backup = try Operands.single(
      operands, missing: "no backup is given", single: "backup to import")
    guard !settings.outputDirectory.isEmpty else {
      throw .usage("'--output' is missing: the directory that the timeline is written to")
    }
    try takeRecovery()
  }

  /// Puts the options of a recovery where they take effect, or refuses those that take none.
  private mutating func takeRecovery() throws(Failure) {
    guard recovery.programs.isEmpty else {
      if !printsJSON && !isQuiet {
        recovery.announce = { text in StandardStream.error.writeIfPossible("note: \(text)\n") }
      }
      settings.recovery = recovery
      return
    }
    let lonely: [(name: String, isGiven: Bool)] = [
      ("scratch", recovery.scratchParent != nil), ("keep-scratch", recovery.keepsScratch),
      ("recover-as", recovery.user != nil), ("wal", recovery.writeAheadLog != nil),
      ("restore-command", recovery.restoreCommand != nil),
    ]
    if let option = lonely.first(where: \.isGiven) {
      throw .usage(
        "'--\(option.name)' is for a recovery, and none is asked for",
        hint: "Give the directory of the Postgres programs with --recover-with.")
    }
  }

  func run() throws(Failure) {
    try Operands.requireBackup(at: settings.backup)
    Interruption.install()
    let progress = isQuiet ? nil : ProgressLine.onTerminal()
    let summary: ImportSummary
    do {
      defer { progress?.erase() }
      summary = try importBackup(settings, progress: progress)
    } catch {
      if printsJSON { try SummaryOutput.write(findingsOf: error) }
      throw error
    }
    try SummaryOutput.write(summary, asJSON: printsJSON, isQuiet: isQuiet)
  }
}
