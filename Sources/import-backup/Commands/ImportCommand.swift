import Operations
import PostgresFormat
import Service
import System
import Timeline

/// `import`, the default command: turns a backup into a timeline.
struct ImportCommand: ReportingCommand, ServiceCommand, RecoveringCommand, StoreCommand {
  static let name = "import"
  static let operands = "BACKUP... --output DIR"
  static let summary = "turn a backup of a whole Postgres cluster into a timeline"
  static let discussion = [
    """
    BACKUP is a tar of the data directory of a cluster that was shut down cleanly (Postgres 14 to \
    17), or a pageserver's fullbackup; - reads it from standard input. It may be compressed with \
    gzip, lz4, zstd or xz. It is read once, from start to end. Several tars are the parts of one \
    backup, read in this order. BACKUP may also be the data directory of a stopped cluster.
    """,
    """
    The timeline is written to DIR/tenants/TENANT/timelines/TIMELINE: layer files, and last of all \
    one index_part.json. A timeline without an index is incomplete. A receipt in DIR/receipts lists \
    its files with their hashes. A SIZE is in bytes, or ends in K, M, G or T (powers of 1024).
    """,
    """
    With --recover-with, BACKUP may also be a backup of a running cluster, or of a cluster with \
    tablespaces: the directory that pg_basebackup wrote, in tar or plain format, or a tar that \
    contains backup_label. It is read once; Postgres of the same version replays its WAL in a \
    scratch directory, and what that changes comes into layers above the others.
    """,
    """
    DIR may also be s3://BUCKET or s3://BUCKET/PREFIX: layers are sent to the bucket as they are \
    finished, --uploads of them at once, and wait for that in the directory of --scratch.
    """,
    """
    With --dry-run, BACKUP is read to its end, but nothing is written: the result is what an import \
    would write, and every reason for which it would be refused. The exit code is that of the worst \
    reason: 66, 65, 69, 2, 73 or 74, in this order.
    """,
    """
    With --attach-to, the timeline is taken into service after the import, as by the command attach. \
    DIR must then be the remote storage of that service.
    """,
  ]

  var settings = ImportOptions(backup: "", outputDirectory: "")
  var recovery = RecoveryOptions(programs: "")
  var isScratchGiven = false
  /// Nil for no receipt.
  var receipt: ReceiptPlace? = .standard
  var printsJSON = false
  var reporting = ReportingOptions()
  var isDryRun = false
  /// The storage controller of the service that is to serve the timeline; nil for none.
  var controller: ServiceURL?
  var service = ServiceArguments()
  /// What was said of uploads; nil if nothing was.
  var uploadCount: Int?

  mutating func read(operands: [String]) throws(Failure) {
    settings.backup = try Operands.single(
      Array(operands.prefix(1)), missing: "no backup given",
      hint: "For example: import-backup backup.tar.zst --output storage.")
    settings.backupParts = try operands.dropFirst().map { operand throws(Failure) in
      try Operands.requirePart(operand)
      return operand
    }
    guard !settings.outputDirectory.isEmpty else {
      throw Failure(
        .missingArgument,
        "option '--output' is required: the directory or s3://BUCKET to write the timeline to",
        hint: "It may also be given as the variable IMPORT_BACKUP_OUTPUT.")
    }
    try requireUseOfShards()
    try requireUseOfService()
    if isInBucket {
      try takeBucket()
    } else {
      try requireUseOfBucket()
    }
    settings.recovery = try recoveryIfAny()
  }

  /// Refuses options that do not go with `--attach-to`, or do not go without it.
  private func requireUseOfService() throws(Failure) {
    guard controller != nil else {
      if service.tokenFile == nil && (service.options.caBundle == nil || isInBucket) { return }
      throw Failure(
        .conflictingOptions, "'--token-file' and '--ca-bundle' require '--attach-to'",
        hint: "Give the URL of the storage controller with '--attach-to'.")
    }
    if isDryRun {
      throw Failure(
        .conflictingOptions, "'--dry-run' and '--attach-to' cannot be used together",
        hint: "After the import, 'attach --dry-run' shows the calls.")
    }
    if settings.onlyShards != nil {
      throw Failure(
        .conflictingOptions, "'--only-shards' and '--attach-to' cannot be used together",
        hint: "Run 'publish' when all shards are written, and then 'attach'.")
    }
  }

  /// Refuses options that do not go with `--only-shards`.
  private mutating func requireUseOfShards() throws(Failure) {
    guard settings.onlyShards != nil else { return }
    let needed: [(name: String, isGiven: Bool)] = [
      ("shards", settings.shardCount > 1), ("tenant-id", settings.tenantID != nil),
      ("timeline-id", settings.timelineID != nil),
    ]
    let missing = needed.filter { !$0.isGiven }.map { "'--\($0.name)'" }
    guard missing.isEmpty else {
      throw Failure(
        .conflictingOptions, "'--only-shards' requires \(missing.joined(separator: ", "))",
        hint:
          "All imports of one tenant must have the same '--shards' (above 1), '--tenant-id' and "
          + "'--timeline-id'. 'openssl rand -hex 16' makes an id.")
    }
    guard recovery.programs.isEmpty else {
      throw Failure(
        .onlyShardsRecovered,
        "a recovery with '--recover-with' cannot be shared by several imports",
        hint: "Recover the backup once, stop the server, and import its data directory.")
    }
    if settings.force {
      throw Failure(
        .conflictingOptions, "'--force' cannot be used with '--only-shards'",
        hint: "Import with another '--timeline-id'.")
    }
    guard receipt == .standard || receipt == nil else {
      throw Failure(
        .conflictingOptions, "'--receipt' cannot be used with '--only-shards'",
        hint: "A receipt lists all shards. Keep what '--json' prints instead.")
    }
    receipt = nil
  }

  func run() throws(Failure) {
    try Operands.requireBackup(at: settings.backup)
    Interruption.install()
    if isDryRun { return try rehearse() }
    let service = try serviceBeforeImport()
    let hasNotes = !printsJSON && !reporting.isQuiet
    let summary = try ProgressReporter.run(self, saysTarget: hasNotes) {
      progress, reporter throws(Failure) in
      var settings = settings
      if hasNotes { settings.recovery?.announce = reporter.note }
      settings.receipt = receipt.map { place in
        ReceiptOptions(place) { summary throws(Failure) in
          Array(try SummaryOutput.object(summary).line().utf8)
        }
      }
      return try importBackup(settings, progress: progress)
    }
    if let controller, let service { return try attach(summary, to: controller, service) }
    try SummaryOutput.write(
      summary, asJSON: printsJSON, isQuiet: reporting.isQuiet, store: settings.store)
  }

  /// How the service is called, nil if it is not; a wrong URL, or a conflict, is to be known before the
  /// import.
  private func serviceBeforeImport() throws(Failure) -> ServiceOptions? {
    guard let controller else { return nil }
    let options = try service.withToken()
    do throws(Failure) {
      try AttachForecast(
        tenantID: settings.tenantID, timelineID: settings.timelineID,
        generation: settings.generation,
        shardCount: settings.shardCount
      ).check(controller, options)
    } catch {
      var error = error
      error.hint = [error.hint, "Nothing was imported."].compactMap(\.self).joined(separator: " ")
      throw error
    }
    return options
  }

  /// Says what was imported, and takes it into service.
  private func attach(
    _ summary: ImportSummary, to controller: ServiceURL, _ service: ServiceOptions
  ) throws(Failure) {
    var options = AttachOptions(place: summary.timelinePath, target: .controller(controller))
    options.service = service
    options.store = settings.store
    if !printsJSON {
      try SummaryOutput.write(
        summary, asJSON: false, isQuiet: reporting.isQuiet, isServed: true)
      if !reporting.isQuiet { options.announce = ServiceText.announce }
    }
    let served: AttachSummary?
    let failure: Failure?
    do throws(Failure) {
      (served, failure) = try attachTenant(options)
    } catch {
      (served, failure) = (nil, error)
    }
    if printsJSON {
      try SummaryOutput.write(summary, served, failure)
    } else if let served {
      try ServiceText.write(
        served, nil, as: Self.self, asJSON: false, isQuiet: reporting.isQuiet,
        text: failure == nil ? ServiceText.attached(served) : "")
    }
    if var failure {
      var hints = [failure.hint]
      // Nothing but another import helps against a conflict with what the service has.
      if [.generationConflict, .shardConflict, .timelineConflict].contains(failure.code) {
        hints.append("The timeline at \(summary.timelinePath.quoted) is complete.")
      } else {
        hints.append(
          "The timeline at \(summary.timelinePath.quoted) is complete: only 'attach' is left to be run."
        )
        failure.remedy = attachCommand(summary.timelinePath, controller)
      }
      failure.hint = hints.compactMap(\.self).joined(separator: " ")
      throw failure.inResult(printsJSON)
    }
  }

  /// The command that takes a timeline into service as `--attach-to` does.
  private func attachCommand(_ path: String, _ controller: ServiceURL) -> Remedy {
    var store = settings.store
    store.caBundle = service.options.caBundle
    var remedy = Remedy()
    remedy.command =
      ["attach", path, "--controller", controller.description]
      + (service.tokenFile.map { ["--token-file", $0] } ?? []) + store.words + service.options.words
    return remedy
  }

  /// Says what an import would do; fails if it would be refused.
  private func rehearse() throws(Failure) {
    let forecast = try ProgressReporter.run(self) { progress, _ throws(Failure) in
      try rehearseImport(settings, progress: progress)
    }
    let failure = forecast.failure
    try StandardStream.output.write(
      printsJSON
        ? try ResultObject(Self.self, forecast, failure).line()
        : ForecastText.line(forecast) + "\n")
    if !printsJSON {
      // An id that is not given would be another one in the import.
      let tenant = settings.tenantID ?? "TENANT"
      let timeline = settings.timelineID ?? "TIMELINE"
      let notes = ForecastText.notes(
        forecast, path: "\(settings.outputDirectory)/tenants/\(tenant)/timelines/\(timeline)",
        isQuiet: reporting.isQuiet)
      StandardStream.error.writeIfPossible(notes.map { $0 + "\n" }.joined())
    }
    if let failure { throw failure.inResult(printsJSON) }
  }
}
