import Backup
import Pipeline
import PostgresFormat
import System
import Timeline

/// The stages that read a timeline and the channels between them, each under its thread's name.
///
/// ```
///  read ─► decompress-1 … ─► check
///    ▲                         │
///    └───────── free ──────────┘
/// ```
///
/// Batches come from a fixed pool and go round. Memory: 64 MiB for the layers that are open
/// (`TimelineCursor`), 0.6 MiB a batch, one value of up to 24 MiB in its stages, the lists of one
/// database (`KeyspaceCheck`), and what a comparison needs to know (`PlacementTable`).
struct VerifyPipeline {
  private let timeline: Timeline
  private let jobs: Int
  private let isForComparison: Bool
  private let progress: RunProgress?

  /// What came of it.
  struct Result: Sendable {
    var findings: Findings
    var keyCount: UInt64 = 0
    var pageCount: UInt64 = 0
    var recordCount: UInt64 = 0
    var goneKeyCount: UInt64 = 0
    /// The timeline's, if it could be read.
    var controlFile: ControlFile?
    /// Empty unless asked for.
    var placements = PlacementTable()
    /// The same of blocks of a running cluster's base that are gone.
    var gonePlacements = PlacementTable()
  }

  /// Layers that are known to be missing are not looked for. What is read `isForComparison` has its
  /// places remembered, and its pages left as they are stored: the comparison reads them.
  init(
    _ timeline: Timeline, jobs: Int, isForComparison: Bool, progress: RunProgress?
  ) {
    var present = timeline
    let missing = Set(timeline.missingLayers.map(\.fileName))
    present.layers.removeAll { missing.contains($0.fileName) }
    self.timeline = present
    self.jobs = jobs
    self.isForComparison = isForComparison
    self.progress = progress
  }

  /// Reads everything; what is wrong with the timeline is added to `findings`.
  func run(_ findings: Findings) throws(Failure) -> Result {
    let group = StageGroup()
    // The right to have a large value in memory.
    let permits = group.channel(capacity: 1, [()])
    let pipeline = BatchPipeline(
      group, BatchPipeline.Names(fill: "read", work: "decompress", drain: "check"), jobs: jobs,
      batches: (0..<jobs * 4 + 8).map { _ in ValueBatch() })
    var result = Result(findings: findings)
    var check = KeyspaceCheck(timeline.index.metadata, findings: findings)
    let isAsImported = timeline.isAsImported
    var gone = try GoneBlocks(timeline)
    var shards = ShardCheck(timeline)
    try pipeline.run(
      fill: { [timeline, progress] feed throws(Failure) in
        try TimelineWalker(timeline, progress: progress, feed: feed, permits: permits).run()
      },
      work: { [isForComparison] batches throws(Failure) in
        var decoder = try BlobDecoder()
        try batches.each { batch throws(Failure) in
          batch.read(with: &decoder, skippingPages: isForComparison)
          // The memory that a large value took is not kept.
          if batch.isLarge { decoder = try BlobDecoder() }
        }
      },
      drain: { batch throws(Failure) in
        for finding in batch.failures { check.findings.add(finding) }
        for entry in batch.entries {
          guard shards.take(entry, &check.findings) else { continue }
          if gone?.contains(entry.value, entry.meaning) == true {
            result.goneKeyCount += 1
            if isForComparison, case .page = entry.outcome {
              result.gonePlacements.add(entry.value)
            }
            continue
          }
          if isAsImported {
            check.take(entry)
          } else {
            check.findings.addDamage(of: entry)
          }
          count(entry, in: &result)
        }
        let wasLarge = batch.isLarge
        batch.reset()
        if wasLarge { try permits.send(()) }
      })
    shards.finish(&check.findings)
    if isAsImported { check.finish() }
    result.findings = check.findings
    result.controlFile = check.controlFile
    return result
  }

  private func count(_ entry: ValueBatch.Entry, in result: inout Result) {
    result.keyCount += 1
    switch entry.outcome {
    case .page:
      result.pageCount += 1
      if isForComparison { result.placements.add(entry.value) }
    case .value(let value):
      if isForComparison { result.placements.add(entry.value.key, value) }
    case .record: result.recordCount += 1
    case .damaged, .unread: break
    }
  }
}

extension Findings {
  /// Adds that a value cannot be read: all that is asked of one in a timeline that has moved on.
  fileprivate mutating func addDamage(of entry: ValueBatch.Entry) {
    guard case .damaged(let reason) = entry.outcome else { return }
    add(.valueDamaged, "key \(entry.value.key) in layer '\(entry.value.layer.fileName)': \(reason)")
  }
}
