import Backup
import Pipeline
import System

/// Imports a backup: reads it once, writes its layers, and last the index.
///
/// When anything fails, or the program is interrupted, the timeline's directory is left without an
/// index and without what was written; in a bucket, layers stay if the timeline's id was given. Throws a
/// `Failure` whose code is the program's exit code. Memory: `ImportPlan` says how it is bounded.
public func importBackup(
  _ options: ImportOptions, progress: RunProgress?
) throws(Failure) -> ImportSummary {
  let start = ContinuousClock.now
  do throws(Failure) {
    if let recovery = options.recovery {
      return try importRecovered(options, recovery, since: start, progress: progress)
    } else {
      return try importAsItIs(options, since: start, progress: progress)
    }
  } catch {
    throw Interruption.cause(of: error, reading: options.backup)
  }
}

private func importAsItIs(
  _ options: ImportOptions, since start: ContinuousClock.Instant, progress: RunProgress?
) throws(Failure) -> ImportSummary {
  try OnlineBackup.requireNone(for: RecoveryAdvice(backup: options.backup))
  let plan = try ImportPlan(options)
  progress?.announce(plan.target)
  return try ImportPipeline(plan: plan, since: start, progress: progress).run()
}

/// Imports a backup that Postgres recovers.
private func importRecovered(
  _ options: ImportOptions, _ recovery: RecoveryOptions, since start: ContinuousClock.Instant,
  progress: RunProgress?
) throws(Failure) -> ImportSummary {
  // What is wrong with the output shows now rather than after hours of recovery.
  let plan = try ImportPlan(options)
  try TimelineWriter.requireUsable(plan)

  progress?.announce(plan.target)
  if let wal = recovery.writeAheadLog, !isDirectory(wal) {
    try requireReadable(wal, option: "--wal")
  }
  // Without a place of its own, the scratch is next to the output, which may not exist yet. What
  // was created for that is removed again if the import fails, as it is empty then.
  var parents = MadeDirectories()
  defer { parents.remove() }
  if recovery.scratchParent == nil {
    try parents.make(RecoveryOptions.place(beside: plan.place.output))
    try parents.sync()
  }
  return try importRecovered(options, recovery, plan, since: start, progress: progress)
}

/// When it returns or throws, the scratch has been removed, unless it is to be kept.
private func importRecovered(
  _ options: ImportOptions, _ recovery: RecoveryOptions, _ plan: ImportPlan,
  since start: ContinuousClock.Instant, progress: RunProgress?
) throws(Failure) -> ImportSummary {
  let run = Recovery(
    of: options.backup, outputDirectory: options.outputDirectory,
    stripComponents: options.stripComponents, manifest: options.manifest,
    checksManifest: options.checksManifest, sizeLimit: SizeLimit(options.sizeLimit), recovery,
    progress: progress)
  return try run.recover(
    inOnePass: { place throws(Failure) in
      try importInOnePass(run, place, plan, since: start, progress: progress)
    },
    beforeCopy: { () throws(Failure) in try requireOnePart(options) },
    onCopy: { cluster throws(Failure) in
      let pipeline = try ImportPipeline(
        plan: try copyPlan(options, plan, cluster), since: start, recovered: cluster,
        progress: progress)
      return try pipeline.run()
    })
}

/// The plan of an import from the recovered copy.
private func copyPlan(
  _ options: ImportOptions, _ plan: ImportPlan, _ cluster: RecoveredCluster
) throws(Failure) -> ImportPlan {
  var settings = options
  settings.backup = cluster.scratch.data
  settings.recovery = nil
  settings.backupParts = []
  settings.stripComponents = 0
  settings.manifest = nil
  settings.checksManifest = false
  settings.sizeLimit = nil  // which the copy was within
  settings.tenantID = plan.tenant.description
  settings.timelineID = plan.timeline.description
  var copyPlan = try ImportPlan(settings)
  copyPlan.backupPath = options.backup
  // The ids are the same, but who knows them, and whether the bytes would be, is not to be seen in them.
  copyPlan.bucket = plan.bucket
  return copyPlan
}

/// Refuses a full copy of a backup in several parts.
private func requireOnePart(_ options: ImportOptions) throws(Failure) {
  guard !options.backupParts.isEmpty else { return }
  throw Failure(
    .partsNotCopied, "a backup in several parts cannot be copied as a whole before its recovery",
    hint: "Unpack all parts into one directory, and import that.")
}

private func importInOnePass(
  _ recovery: Recovery, _ place: Recovery.Place, _ plan: ImportPlan,
  since start: ContinuousClock.Instant, progress: RunProgress?
) throws(Failure) -> ImportSummary {
  var plan = plan
  plan.isRunning = true
  let backup = try RunningBackup(
    recovery, in: place, plan.reading, planMemory: plan.replayMemoryByteCount, progress: progress)
  return try ImportPipeline(plan: plan, backup, since: start, progress: progress).run()
}
