import Backup
import Pipeline
import System
import Timeline

/// The stages that read a timeline and the channels between them.
///
/// ```
///               work               read
///  TimelineWalker ──► workers × jobs ──► judge
///        ▲                                 │
///        └───────────── free ──────────────┘
/// ```
///
/// Batches come from a fixed pool and go round. Memory: 64 MiB for the layers that are open
/// (`TimelineCursor`), 0.6 MiB a batch, one value of up to 24 MiB in its stages, the lists of one
/// database (`KeyspaceCheck`), and what a comparison needs to know (`PlacementTable`).
struct VerifyPipeline: Pipeline {
  let failure = FirstFailure()
  private let timeline: Timeline
  private let jobs: Int
  private let isForComparison: Bool
  private let walker: TimelineWalker
  private let free: Channel<ValueBatch>
  private let work = Channel<ValueBatch>()
  private let read = Channel<ValueBatch>()
  private let permits = Channel<Void>([()])

  /// What came of it.
  struct Result: Sendable {
    var findings: Findings
    var keyCount: UInt64 = 0
    var pageCount: UInt64 = 0
    var recordCount: UInt64 = 0
    /// The cluster's, where the control file could be read.
    var systemIdentifier: UInt64?
    /// Empty unless asked for.
    var placements = PlacementTable()
  }

  /// Layers that are known to be missing are not looked for. What is read `isForComparison` has its
  /// places remembered, and its pages left as they are stored: the comparison reads them.
  init(
    _ timeline: Timeline, jobs: Int, isForComparison: Bool, progress: (any ProgressReporting)?
  ) {
    var present = timeline
    let missing = Set(timeline.missingLayers.map(\.name))
    present.layers.removeAll { missing.contains($0.name) }
    self.timeline = present
    self.jobs = jobs
    self.isForComparison = isForComparison
    free = Channel((0..<jobs * 4 + 8).map { _ in ValueBatch() })
    walker = TimelineWalker(
      present, progress: progress, free: free, work: work, permits: permits)
  }

  /// Reads everything; what is wrong with the timeline is added to `findings`.
  func run(_ findings: Findings) async throws(Failure) -> Result {
    let walk: Stage = { () throws(Failure) in try await walker.run() }
    return try await run([walk, decompress]) { () throws(Failure) in
      try await judge(findings)
    }
  }

  var channels: [any FailableChannel] { [free, work, read, permits] }

  private func decompress() async throws(Failure) {
    try await runWorkers(jobs) { () throws(Failure) in
      var decompressor = try BlobDecompressor()
      while let batch = try await work.receive() {
        batch.read(with: &decompressor, skippingPages: isForComparison)
        // The memory that a large value took is not kept.
        if batch.isLarge { decompressor = try BlobDecompressor() }
        read.send(batch)
      }
    }
    read.finish()
  }

  /// Takes batches in the order of the keys.
  private func judge(_ findings: Findings) async throws(Failure) -> Result {
    var result = Result(findings: findings)
    var check = KeyspaceCheck(timeline.index.metadata, findings: findings)
    let isAsImported = timeline.isAsImported
    try await read.receiveInOrder { batch throws(Failure) in
      for finding in batch.failures { check.findings.add(finding) }
      for entry in batch.entries {
        if isAsImported {
          check.take(entry)
        } else {
          check.findings.addDamage(of: entry)
        }
        count(entry, in: &result)
      }
      let wasLarge = batch.isLarge
      batch.reset()
      if wasLarge { permits.send(()) }
      free.send(batch)
    }
    if isAsImported { check.finish() }
    result.findings = check.findings
    result.systemIdentifier = check.controlFile?.systemIdentifier
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
    add("key \(entry.value.key) in layer '\(entry.value.layer.fileName)': \(reason)")
  }
}
