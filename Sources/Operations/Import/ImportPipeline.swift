import Backup
import LayerFormat
import Pipeline
import System
import Timeline

/// The stages of one import and the channels between them.
///
/// ```
///              work              compressed             finished
///  BackupReader ──► workers × jobs ──► TimelineWriter ──► DurabilityStage
///        ▲                               │ │    ▲  ▲         ▲  │
///        └───────────── free ────────────┘ │    │  └ permits │ ─┘
///                                fullChunks│    │emptyChunks │
///                                          └► ChunkWriter ───┘
/// ```
///
/// Every stage runs by itself; batches come from a fixed pool and go round, so the slowest stage
/// holds all others back and memory stays as `ImportPlan` shares it out. A stage that fails makes
/// every channel fail, and with them the other stages.
struct ImportPipeline: Pipeline {
  let failure = FirstFailure()
  private let plan: ImportPlan
  private let reader: BackupReader
  private let writer: TimelineWriter
  private let chunkWriter = ChunkWriter()
  private let durability: DurabilityStage

  private let free: Channel<PageBatch>
  private let work = Channel<PageBatch>()
  private let compressed = Channel<PageBatch>()
  private let fullChunks = Channel<FullChunk>()
  private let emptyChunks: Channel<ChunkSpool>
  private let finished = Channel<FinishedLayer>()
  private let permits: Channel<Void>
  /// Gets one element when the writer has stored the last batch.
  private let stored = Channel<Void>()

  /// Opens the input first and then claims the output, so that a bad path leaves no trace.
  init(plan: ImportPlan, progress: (any ProgressReporting)?) throws(Failure) {
    self.plan = plan
    free = Channel(
      (0..<plan.reading.batchCount).map { _ in
        PageBatch(checksPages: plan.pageChecksums != .skip)
      })
    permits = Channel((0..<ImportPlan.pendingLayerLimit).map { _ in () })
    let counters = ImportCounters()
    reader = try BackupReader(
      plan.reading, counters: counters, progress: progress, free: free, work: work,
      failure: failure)
    emptyChunks = Channel([ChunkSpool(memoryLimit: plan.chunkMemoryByteCount)])
    durability = DurabilityStage(counters: counters)
    writer = try TimelineWriter(
      plan: plan, fullChunks: fullChunks, emptyChunks: emptyChunks, finished: finished,
      permits: permits)
  }

  /// Runs the import to its end, or takes away what it wrote and throws.
  func run() async throws(Failure) -> ImportSummary {
    let makeDurable: Stage = { () throws(Failure) in
      try await durability.run(finished: finished, permits: permits)
    }
    let writeChunks: Stage = { () throws(Failure) in
      try await chunkWriter.run(full: fullChunks, empty: emptyChunks, finished: finished)
    }
    do throws(Failure) {
      return try await run([compress, store, makeDurable, writeChunks], beside: conduct)
    } catch {
      await writer.abandon()
      throw error
    }
  }

  /// Sees the backup through: reads it, judges it, writes the metadata, commits.
  private func conduct() async throws(Failure) -> ImportSummary {
    try await requireSpace()
    let backup = try await reader.run()
    var contents = backup.contents
    _ = try await stored.receive()
    let manifest = try await reader.judgeManifest(writer.segments)
    let assessment = try contents.assessed()
    let pageChecksums = try await writer.pageCheck.judged(plan.pageChecksums, in: assessment)
    let relations = try await writer.relations(upTo: assessment.endLSN)
    try contents.requireComplete(relations, version: assessment.version)
    let controlFile = assessment.controlFile.normalised()
    let metadata = MetadataValues(
      contents: contents, relations: relations, version: assessment.version,
      controlFile: controlFile.bytes, checkpoint: assessment.checkpoint)
    try await writer.writeMetadataLayer(
      metadata, at: assessment.importLSN, end: assessment.endLSN)
    try await writer.waitForLayers()
    fullChunks.finish()
    finished.finish()  // `durability` answers when its run has ended
    try Interruption.check()
    let output = try await writer.commit(
      durability.layers,
      IndexPart.Metadata(
        importLSN: assessment.importLSN, endLSN: assessment.endLSN,
        previousRecordLSN: assessment.previousRecordLSN,
        postgresVersion: assessment.version.rawValue))

    var summary = ImportSummary(contents, assessment, relations)
    summary.controlFileChanges = controlFile.changes
    summary.inputByteCount = backup.inputByteCount
    summary.manifest = manifest
    summary.outputByteCount = output.byteCount
    summary.imageLayerCount = output.imageLayerCount
    summary.l0LayerCount = output.level0Count
    summary.pageCount = await writer.pageCount
    summary.stampedPageCount = await writer.stampedPageCount
    summary.segmentTableByteCount = await writer.segmentTableByteCount
    summary.pageChecksums = pageChecksums
    summary.tenantID = plan.tenant.description
    summary.timelineID = plan.timeline.description
    summary.generation = plan.generation
    summary.timelinePath = writer.timelinePath
    return summary
  }

  /// Refuses a clear shortage of space before any work, where the backup's size is known.
  private func requireSpace() async throws(Failure) {
    guard let inputByteCount = await reader.inputByteCount else { return }
    try FreeSpace.require(
      FreeSpace.leastNeeded(
        inputByteCount: inputByteCount, isCompressed: await reader.isCompressed,
        level: plan.compressionLevel),
      at: writer.timelinePath)
  }

  /// Compresses batches with as many workers as there are jobs.
  private func compress() async throws(Failure) {
    try await runWorkers(plan.jobs) { () throws(Failure) in
      var compressor = try PageCompressor(level: plan.compressionLevel)
      while let batch = try await work.receive() {
        try batch.pages.makeBlobs(with: &compressor)
        compressed.send(batch)
      }
    }
    compressed.finish()
  }

  private func store() async throws(Failure) {
    try await writer.run(compressed: compressed, free: free)
    stored.send(())
  }

  var channels: [any FailableChannel] {
    [free, work, compressed, permits, stored, finished, fullChunks, emptyChunks]
  }
}
