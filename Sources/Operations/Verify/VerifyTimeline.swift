import Backup
import Pipeline
import System
import Timeline

/// Reads a timeline as a pageserver would, all of it, and compares it with a backup if one is
/// given.
///
/// What is wrong with the timeline is a finding of the summary. Throws if it cannot be checked:
/// `.cannotOpen` without an index, `.damaged` if the index cannot be read, `.unsupported` for a
/// deleted timeline, one shard and a branch, and for a timeline that a pageserver has written on
/// if a backup is given; whatever is wrong with the backup; `.inputOutput`. A timeline that has
/// findings is not compared. Memory: `VerifyPipeline` says how it is bounded.
public func verifyTimeline(
  _ options: VerifyOptions, progress: RunProgress?
) throws(Failure) -> VerifySummary {
  let start = ContinuousClock.now
  let timeline = try Timeline(path: options.timeline)
  try timeline.requireAlive()
  try timeline.requireWhole()
  if options.backup != nil { try timeline.requireAsImported() }
  let jobs = min(options.jobs ?? Processors.count, VerifyOptions.usefulJobs)
  let pipeline = VerifyPipeline(
    timeline, jobs: jobs, isForComparison: options.backup != nil, progress: progress)
  var result = try pipeline.run(IndexCheck(timeline).findings)

  var summary = VerifySummary(timeline)
  summary.keyCount = result.keyCount
  summary.pageCount = result.pageCount
  summary.unreplayedKeyCount = result.recordCount
  if let backup = options.backup, result.findings.count == 0 {
    let comparison = try BackupComparison(
      timeline, backup: backup, stripComponents: options.stripComponents, jobs: jobs,
      progress: progress)
    let compared: BackupComparison.Result
    do throws(Failure) {
      compared = try comparison.run(
        result.placements, systemIdentifier: result.systemIdentifier)
    } catch {
      throw Interruption.cause(of: error, reading: backup)
    }
    result.findings = compared.findings
    summary.isCompared = true
    summary.comparedPageCount = compared.pageCount
  }
  summary.findingCount = result.findings.count
  summary.findings = result.findings.shown
  summary.seconds = (ContinuousClock.now - start) / .seconds(1)
  return summary
}

extension VerifySummary {
  /// What the index says.
  init(_ timeline: Timeline) {
    timelinePath = timeline.path
    generation = timeline.generation
    postgresVersion = timeline.index.metadata.postgresVersion
    importLSN = timeline.index.metadata.initdbLSN.description
    endLSN = timeline.index.diskConsistentLSN.description
    layerCount = timeline.layers.count
    byteCount = timeline.layers.reduce(0) { $0 &+ $1.metadata.fileSize }
    isWrittenOn = !timeline.isAsImported
  }
}

/// What a verification reads, and how.
public struct VerifyOptions: Sendable {
  /// The directory of the timeline, with its `index_part.json-<generation>`.
  public var timeline: String

  /// A backup to compare with: a path, or `-` for standard input; nil for none.
  public var backup: String?

  /// Leading directories to drop from every name in the backup.
  public var stripComponents = 0

  /// How many batches are decompressed at once; nil for one a processor.
  public var jobs: Int?

  /// More jobs than this are no use, as one thread reads for all, and would take memory.
  static let usefulJobs = 32

  /// Options for a timeline alone, without a backup to compare it with.
  public init(timeline: String) {
    self.timeline = timeline
  }
}
