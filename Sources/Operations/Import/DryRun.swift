import Backup
import LayerFormat
import Pipeline
import PostgresFormat
import System
import Timeline

/// Reads all of a backup, and says what an import would write and why it would be refused.
///
/// Nothing is written, and no directory is made. Throws for a wrong option, a signal and a bug; all
/// else is in the forecast. Memory: as an import.
public func rehearseImport(
  _ options: ImportOptions, progress: RunProgress?
) throws(Failure) -> ImportForecast {
  let start = ContinuousClock.now
  var run = DryRun(options, progress: progress)
  var forecast = try run.run()
  forecast.summary.seconds = (ContinuousClock.now - start) / .seconds(1)
  return forecast
}

/// One dry run: the stages of an import up to what would be written, which is counted instead.
private struct DryRun {
  private let options: ImportOptions
  private let progress: RunProgress?
  private let refusals = RefusalCollector()
  private var forecast = ImportForecast()

  init(_ options: ImportOptions, progress: RunProgress?) {
    self.options = options
    self.progress = progress
  }

  mutating func run() throws(Failure) -> ImportForecast {
    let plan = try makePlan()
    forecast.summary.tenantID = plan.tenant.description
    forecast.summary.timelineID = plan.timeline.description
    forecast.summary.generation = plan.generation
    forecast.summary.shardCount = plan.layout.count
    forecast.summary.stripeSize = Int(plan.layout.stripeSize)
    if plan.place.shards.isPartial { forecast.summary.onlyShards = plan.place.shards.numbers }
    forecast.summary.backupPath = absoluteInput(options.backup)
    forecast.summary.timelinePath = absolutePlace(plan.place.path)
    try refusals.collect { () throws(Failure) in
      if let bucket = plan.bucket {
        try TimelineBucket.requireClaimable(plan.place, bucket)
      } else {
        try TimelineDirectory.requireClaimable(plan.place, force: plan.force)
      }
    }
    if let recovery = options.recovery {
      try checkRecovery(recovery)
    } else {
      try refusals.collect { () throws(Failure) in
        try OnlineBackup.requireNone(for: RecoveryAdvice(backup: options.backup))
      }
    }
    try read(plan)
    try checkSpace(plan)
    var said: Set<ErrorCode> = []
    let reasons = refusals.failures.filter { failure in
      guard Self.recoverable.contains(failure.code) else { return true }
      // The same may show in several files of the backup.
      return options.recovery == nil && said.insert(failure.code).inserted
    }
    forecast.reasons = reasons.map { ImportForecast.Reason($0) }
    forecast.reasonCount = refusals.count - UInt64(refusals.failures.count - reasons.count)
    return forecast
  }

  /// The plan of the import; a manifest that cannot be read is a reason, and left out of it.
  private func makePlan() throws(Failure) -> ImportPlan {
    var settings = options
    if let manifest = options.manifest {
      let isReadable = try refusals.collect { () throws(Failure) in
        try requireReadable(manifest, option: "--manifest")
        return true
      }
      if isReadable == nil { settings.manifest = nil }
    }
    // Of what pg_basebackup wrote in tar format, the tar of the data directory is read.
    let form = try refusals.collect { () throws(Failure) in try OnlineBackup(at: options.backup) }
    if case .tars(let base, _, _) = form { settings.backup = base }
    var plan = try ImportPlan(settings)
    if let form { plan.reading.origin = form.origin }
    plan.reading.isToBeRecovered = options.recovery != nil
    if case .directory = form {} else { plan.reading.readsSettings = options.recovery != nil }
    return plan
  }

  // MARK: The backup

  private mutating func read(_ plan: ImportPlan) throws(Failure) {
    let group = StageGroup()
    let reader = try refusals.collect { [refusals, progress] () throws(Failure) in
      try BackupReader(
        plan.reading, phase: .reading, counters: nil, progress: progress,
        failure: group.failure, refusals: refusals)
    }
    guard let reader else { return }
    let pages = BatchPipeline(
      group, BatchPipeline.Names(fill: "tar", work: "compress", drain: "count"), jobs: plan.jobs,
      batches: (0..<plan.reading.batchCount).map { _ in
        PageBatch(checksPages: plan.pageChecksums != .skip)
      })
    var meter = LayerMeter(plan)
    let backup = try pages.run(
      fill: { feed throws(Failure) in try reader.run(feed) },
      work: { [level = plan.compressionLevel, shards = plan.place.shards] batches throws(Failure) in
        var encoder = try BlobEncoder(level: level)
        try batches.each { batch throws(Failure) in
          try batch.pages.makeBlobs(with: &encoder, of: shards)
        }
      },
      drain: { batch throws(Failure) in meter.take(batch.pages) })
    forecast.isComplete = backup.isComplete
    if backup.isComplete { try judge(backup.contents, reader, &meter, plan) }
    forecast.summary.inputByteCount = backup.inputByteCount
    forecast.summary.outputByteCount = meter.byteCount
    forecast.summary.imageLayerCount = meter.imageLayerCount
    forecast.summary.l0LayerCount = meter.level0Count
    (forecast.summary.layout, forecast.summary.layoutReason) = plan.layout(
      isSorted: meter.sortsSmallRelations)
    forecast.summary.pageCount = meter.pageCount
    forecast.summary.stampedPageCount = meter.stampedPageCount
    forecast.summary.segmentTableByteCount = meter.segments.memoryByteCount
    forecast.summary.listChanges()
    forecast.summary.listWarnings(storeWeakness: nil)
    // The WAL is among what is left out; pages are in the scratch only if all is copied.
    let pageByteCount = try copiesAll() ? meter.pageCount * UInt64(PageRuns.pageByteCount) : 0
    forecast.recovery?.scratchByteCount = backup.contents.leftOut.summary.reduce(pageByteCount) {
      $0 &+ $1.byteCount
    }
  }

  /// Whether a recovery makes a full copy, as far as the backup shows that.
  private func copiesAll() throws(Failure) -> Bool {
    if options.recovery?.copiesAll == true { return true }
    if try OnlineBackup(at: options.backup).hasTablespaces { return true }
    return refusals.failures.contains { $0.code == .tablespacesUnsupported }
  }

  /// Whether a cluster that was running comes without any WAL. Whether what there is goes far enough shows only
  /// when it is read.
  private func hasNoLog(
    _ contents: ClusterContents, _ recovery: RecoveryOptions
  ) throws(Failure) -> Bool {
    guard recovery.writeAheadLog == nil, recovery.restoreCommand == nil,
      refusals.failures.contains(where: { [.runningCluster, .uncleanShutdown].contains($0.code) }),
      !contents.leftOut.summary.contains(where: { $0.code == .writeAheadLog })
    else { return false }
    switch try OnlineBackup(at: options.backup) {
    case .tar: return true
    case .tars(_, let log, _): return log == nil
    case .directory(let path):
      let log = DirectoryHandle.name("pg_wal")
      return try DirectoryHandle(path: path).status(of: log)?.kind != .symbolicLink
    }
  }

  /// Judges a backup that was read to its end, as far as what was refused allows it.
  private mutating func judge(
    _ read: ClusterContents, _ reader: BackupReader, _ meter: inout LayerMeter, _ plan: ImportPlan
  ) throws(Failure) {
    var contents = read
    let report: Failure.Report = { [refusals] failure throws(Failure) in
      try refusals.take(failure)
    }
    let manifest = try refusals.collect { () throws(Failure) in
      try reader.checkManifest(meter.segments)
    }
    contents.addRefused(to: &meter.segments)
    forecast.summary.leftOut = contents.leftOut.summary
    if let recovery = options.recovery {
      let own = try ownSettings ?? contents.recoverySettings
      if let refusal = Recovery.refusal(of: own, recovery) {
        try refusals.take(refusal)
      }
      if try hasNoLog(contents, recovery) { try refusals.take(WriteAheadLogCheck.allIsMissing) }
      return  // what a recovery makes of the cluster is not known
    }
    var assessed: ClusterAssessment?
    if contents.canBeAssessed {
      assessed = try refusals.collect { () throws(Failure) in try contents.assessed(report: report)
      }
    }
    guard let assessment = assessed else {
      // What has no control file may be no backup at all.
      guard contents.controlFile != nil || !contents.canBeAssessed else { return }
      try contents.requireLogs(report: report)
      _ = try meter.segments.relations(
        upTo: LogSequenceNumber(rawValue: .max), report: report)
      return
    }
    let pageChecksums = try refusals.collect { [meter] () throws(Failure) in
      try meter.pageCheck.checked(plan.pageChecksums, in: assessment)
    }
    let unfinished = try refusals.collect { [meter] () throws(Failure) in
      try UnfinishedRelations.among(meter.segments, of: assessment, at: plan.reading.backup)
    }
    let relations = try meter.segments.relations(
      upTo: assessment.endLSN, unfinished: unfinished ?? [], report: report)
    try contents.requireComplete(relations, version: assessment.version, report: report)
    try meter.finish(
      KeyspaceWriter(Cluster(contents, assessment, relations)), level: plan.compressionLevel)
    let identity = forecast.summary
    forecast.summary = ImportSummary(contents, assessment, relations)
    forecast.summary.backupPath = identity.backupPath
    forecast.summary.tenantID = identity.tenantID
    forecast.summary.timelineID = identity.timelineID
    forecast.summary.generation = identity.generation
    forecast.summary.shardCount = identity.shardCount
    forecast.summary.stripeSize = identity.stripeSize
    forecast.summary.onlyShards = identity.onlyShards
    forecast.summary.timelinePath = identity.timelinePath
    forecast.summary.unfinishedRelationCount = unfinished?.relationCount ?? 0
    forecast.summary.markedDatabaseCount = contents.databaseCount(
      withColumnsIn: meter.markedRelations)
    if let manifest { forecast.summary.manifest = manifest }
    if let pageChecksums { forecast.summary.pageChecksums = pageChecksums }
  }

  /// What the settings in a data directory say about its recovery, as far as they can be read; nil of a
  /// tar.
  private var ownSettings: OwnRecoverySettings? {
    get throws(Failure) {
      guard case .directory(let path) = try OnlineBackup(at: options.backup) else { return nil }
      var settings = OwnRecoverySettings()
      for name in try SystemCalls.names(in: path) {
        settings.note(name)
        guard OwnRecoverySettings.fileNames.contains(name),
          let bytes = try? SystemCalls.contents(of: path + "/" + name, limit: 16 << 20)
        else { continue }
        settings.take(name, bytes.bytes)
      }
      return settings
    }
  }

  private func checkSpace(_ plan: ImportPlan) throws(Failure) {
    if plan.bucket == nil {
      let path = SystemCalls.nearestExisting(forecast.summary.timelinePath)
      try refusals.collect { [forecast] () throws(Failure) in
        try FreeSpace.require(forecast.summary.outputByteCount, at: path)
      }
    }
    guard let recovery = forecast.recovery else { return }
    try refusals.collect { () throws(Failure) in
      try FreeSpace.require(
        recovery.scratchByteCount, at: SystemCalls.nearestExisting(recovery.scratchParent),
        purpose: "the recovery", option: "--scratch")
    }
  }

  // MARK: Recovery

  /// States of a whole cluster that a recovery does away with, so that they are no reason then.
  private static let recoverable: Set<ErrorCode> = [
    .runningCluster, .uncleanShutdown, .standbyCluster, .tablespacesUnsupported,
  ]

  /// Checks what a recovery needs, as far as that shows without running it.
  private mutating func checkRecovery(_ recovery: RecoveryOptions) throws(Failure) {
    let parent =
      recovery.scratchParent ?? RecoveryOptions.place(beside: options.outputDirectory)
    forecast.recovery = ImportForecast.Recovery(
      programs: recovery.programs, scratchParent: parent, scratchByteCount: 0,
      writeAheadLog: recovery.writeAheadLog, restoreCommand: recovery.restoreCommand)
    try refusals.collect { () throws(Failure) in
      try PostgresPrograms.requirePresent(in: recovery.programs)
      _ = try PostgresPrograms.user(named: recovery.user, trustsBackup: recovery.trustsBackup)
    }
    try refusals.collect { [options] () throws(Failure) in
      _ = try OnlineBackup(at: options.backup).opened(for: recovery)
    }
    if recovery.scratchParent != nil {
      try refusals.collect { () throws(Failure) in _ = try ScratchDirectory.parent(parent) }
    }
    if let wal = recovery.writeAheadLog, !isDirectory(wal) {
      try refusals.collect { () throws(Failure) in try requireReadable(wal, option: "--wal") }
    }
  }
}
