import BackupImport

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
  ]

  var settings = ImportOptions(backup: "", outputDirectory: "")
  var printsJSON = false
  var isQuiet = false

  mutating func take(operands: [String]) throws(ImportError) {
    settings.backup = try Operands.single(
      operands, missing: "no backup is given", single: "backup to import")
    guard !settings.outputDirectory.isEmpty else {
      throw .usage("'--output' is missing: the directory that the timeline is written to")
    }
  }

  @MainActor
  func run() async throws(ImportError) {
    try Operands.requireBackup(at: settings.backup)
    Interruption.install()
    let progress = isQuiet ? nil : ProgressLine.onTerminal()
    let summary: ImportSummary
    do {
      defer { progress?.erase() }
      summary = try await importBackup(settings, progress: progress)
    } catch {
      if printsJSON { try SummaryOutput.write(findingsOf: error) }
      throw error
    }
    try SummaryOutput.write(summary, asJSON: printsJSON, isQuiet: isQuiet)
  }
}
