import Backup
import ObjectStore
import Pipeline
import System
import Timeline

/// Reads a timeline as a pageserver would, all of it, and compares it with the receipt of its import
/// and with a backup, if they are given.
///
/// What is wrong with the timeline is a finding of the summary. Throws if it cannot be checked:
/// `.cannotOpen` without an index, `.damaged` if the index cannot be read, `.unsupported` for a
/// deleted timeline, one shard and a branch, and for a timeline that a pageserver has written on
/// if a backup is given; whatever is wrong with the backup; `.inputOutput`. A timeline that has
/// findings is not compared with a backup, and if its index cannot be read, files that differ from a
/// receipt are the findings. Memory: `VerifyPipeline` says how it is bounded.
public func verifyTimeline(
  _ options: VerifyOptions, progress: RunProgress?
) throws(Failure) -> VerifySummary {
  let start = ContinuousClock.now
  var summary = VerifySummary()
  let findings = try verify(options, &summary, progress: progress)
  summary.findingCount = findings.count
  summary.findings = findings.shown
  summary.seconds = (ContinuousClock.now - start) / .seconds(1)
  return summary
}

private func verify(
  _ options: VerifyOptions, _ summary: inout VerifySummary, progress: RunProgress?
) throws(Failure) -> Findings {
  let jobs = min(options.jobs ?? Processors.count, VerifyOptions.usefulJobs)
  let receipt = try options.receipt.map { path throws(Failure) in try Receipt(path: path) }
  let path = options.timeline ?? receipt?.timelinePath ?? ""
  summary.take(options, receipt, timelinePath: path)
  let place = try TimelinePlace(at: path, options.store)
  var findings = Findings()
  let files = try receipt.map { receipt throws(Failure) in
    try ReceiptCheck(receipt, place.directory)
  }
  try files?.run(jobs: jobs, progress: progress, &findings)
  if findings.count > 0 { try receipt?.requireTimeline(at: place.path, options) }
  let timeline: Timeline
  do throws(Failure) {
    timeline = try Timeline(place)
  } catch {
    // The index is one of the files that differ.
    guard findings.count > 0, [.cannotOpen, .damaged].contains(error.exitCode) else { throw error }
    return findings
  }
  try timeline.requireAlive()
  try timeline.requireWhole()
  if options.backup != nil { try timeline.requireAsImported() }
  summary.take(timeline)
  // A pageserver writes its own when it is time for that.
  if timeline.isAsImported, !place.shardsWithoutStripeSize.isEmpty {
    findings.add(
      .manifestMissing,
      TenantDirectory.withoutStripeSize(
        place.shardsWithoutStripeSize, of: timeline.layout.count,
        SystemCalls.parent(of: SystemCalls.parent(of: place.path)))
        + ": copy the manifests as well")
  }
  let pipeline = VerifyPipeline(
    timeline, jobs: jobs, isForComparison: options.backup != nil, progress: progress)
  let result = try pipeline.run(
    IndexCheck(timeline, findings, knowing: files?.allNames ?? []).findings)
  summary.keyCount = result.keyCount
  summary.pageCount = result.pageCount
  summary.unreplayedKeyCount = result.recordCount
  summary.goneKeyCount = result.goneKeyCount
  summary.systemIdentifier = result.controlFile.map { String($0.systemIdentifier) }
  guard let backup = options.backup, result.findings.count == 0 else { return result.findings }

  let compared: BackupComparison.Result
  do throws(Failure) {
    compared = try compare(timeline, backup, options, result, jobs: jobs, progress: progress)
  } catch {
    throw Interruption.cause(of: error, reading: backup)
  }
  summary.isCompared = true
  summary.comparedPageCount = compared.pageCount
  return compared.findings
}

/// Compares a timeline with a backup, which is recovered if that is asked for: in one pass, or on a full copy
/// if the cluster has tablespaces.
private func compare(
  _ timeline: Timeline, _ backup: String, _ options: VerifyOptions, _ read: VerifyPipeline.Result,
  jobs: Int, progress: RunProgress?
) throws(Failure) -> BackupComparison.Result {
  guard let recovery = options.recovery, let scratch = recovery.scratchParent else {
    try OnlineBackup.requireNone(for: RecoveryAdvice(backup: backup, needsScratch: true))
    return try BackupComparison(
      timeline, backup: backup, stripComponents: options.stripComponents,
      sizeLimit: SizeLimit(options.sizeLimit), jobs: jobs, progress: progress
    ).run(read)
  }
  if let wal = recovery.writeAheadLog, !isDirectory(wal) {
    try requireReadable(wal, option: "--wal")
  }
  var run = Recovery(
    of: backup, outputDirectory: scratch, stripComponents: options.stripComponents, manifest: nil,
    checksManifest: false, sizeLimit: SizeLimit(options.sizeLimit), recovery, progress: progress)
  let end = timeline.index.diskConsistentLSN
  run.identity = read.controlFile.map {
    BackupIdentity(systemIdentifier: $0.systemIdentifier, end: end)
  }
  return try run.recover(
    inOnePass: { [run] place throws(Failure) in
      try BackupComparison(
        timeline, run, in: place, backup: backup, stripComponents: options.stripComponents,
        jobs: jobs, progress: progress
      ).run(read)
    },
    onMismatch: { mismatch throws(Failure) in
      BackupComparison.Result(mismatch, of: timeline, read)
    },
    onCopy: { cluster throws(Failure) in
      try BackupComparison(
        timeline, backup: cluster.scratch.data, stripComponents: 0, sizeLimit: nil, jobs: jobs,
        progress: progress
      ).run(read, recovered: cluster)
    })
}

extension Receipt {
  /// Throws `.usage` if it is the receipt of another timeline than the path says, which is no damage then.
  fileprivate func requireTimeline(
    at path: String, _ options: VerifyOptions
  ) throws(Failure) {
    // Of a path that names several shards nothing exists; one without ids may be a link.
    var found = TimelineIdentity(path: absolutePlace(path))
    if found == nil, !StoreLocation.isMeant(by: path) {
      found = TimelineIdentity(path: try SystemCalls.resolved(path))
    }
    guard let identity = found,
      (identity.tenant.description, identity.timeline.description) != (tenantID, timelineID)
    else { return }
    throw Failure(
      .conflictingOptions,
      "receipt \((options.receipt ?? "").quoted) is of timeline '\(timelineID)' of tenant '\(tenantID)', "
        + "not of \(path.quoted)",
      hint: "Give the receipt of this timeline with '--receipt', or the timeline of this receipt.")
  }
}

extension VerifySummary {
  /// Takes what is known before the timeline is read.
  fileprivate mutating func take(
    _ options: VerifyOptions, _ receipt: Receipt?, timelinePath path: String
  ) {
    timelinePath = absolutePlace(path)
    backupPath = options.backup.map(absoluteInput)
    receiptPath = options.receipt.map(SystemCalls.absolute)
    comparedFileCount = receipt?.files.count ?? 0
    let identity = TimelineIdentity(path: timelinePath)
    tenantID = identity?.tenant.description ?? receipt?.tenantID
    timelineID = identity?.timeline.description ?? receipt?.timelineID
  }

  /// Takes what the index says.
  fileprivate mutating func take(_ timeline: Timeline) {
    timelinePath = absolutePlace(timeline.path)
    if let identity = TimelineIdentity(path: timelinePath) {
      tenantID = identity.tenant.description
      timelineID = identity.timeline.description
    }
    generation = timeline.generation
    shardCount = timeline.layout.count
    if timeline.layout.isSharded { stripeSize = Int(timeline.layout.stripeSize) }
    postgresVersion = timeline.index.metadata.postgresVersion
    importLSN = timeline.index.metadata.initdbLSN.description
    endLSN = timeline.index.diskConsistentLSN.description
    layerCount = timeline.layers.count
    layerByteCount = timeline.layers.reduce(0) { $0 &+ $1.metadata.fileSize }
    isWrittenOn = !timeline.isAsImported
  }
}

/// What a verification reads, and how.
public struct VerifyOptions: Sendable {
  /// The directory of the timeline, with its `index_part.json-<generation>`: a path, or
  /// `s3://BUCKET/PREFIX`; nil for the one that the receipt names.
  public var timeline: String?

  /// How the object store is reached that the timeline is in.
  public var store = StoreOptions()

  /// The receipt of the import that wrote the timeline: nil to do without. Either this or the
  /// directory is needed.
  public var receipt: String?

  /// A backup to compare with: a path, or `-` for standard input; nil for none.
  public var backup: String?

  /// How the backup is recovered before it is compared, with a scratch directory; nil if it is not.
  public var recovery: RecoveryOptions?

  /// Leading directories to drop from every name in the backup.
  public var stripComponents = 0

  /// The most that the backup may unpack to, in bytes; nil for anything.
  public var sizeLimit: UInt64?

  /// How many batches are decompressed at once; nil for one a processor.
  public var jobs: Int?

  /// More jobs than this are no use, as one thread reads for all, and would take memory.
  static let usefulJobs = 32

  /// Options for a timeline alone, without a receipt or a backup to compare it with.
  public init(timeline: String?) {
    self.timeline = timeline
  }
}
