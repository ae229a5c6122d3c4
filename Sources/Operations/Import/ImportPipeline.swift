import Backup
import LayerFormat
import Pipeline
import System
import Timeline

/// The stages of one import and the channels between them, each under its thread's name.
///
/// ```
///  read ─► tar ─► compress-1 … ─► write ─► hash-1 … ─► sync
///           ▲                     │ │  ▲    ▲
///           └──────── free ───────┘ ▼  │    │
///                                  chunk ───┘
/// ```
///
/// `read` reads the input ahead and decompresses it. `tar` decides about every member and fills
/// batches with pages (`BackupReader`). `write` makes layers of them (`TimelineWriter`), `chunk`
/// writes those of small relations (`ChunkWriter`), `hash` reads finished ones back (`HashStage`),
/// `sync` makes them durable. Memory stays as `ImportPlan` shares it out. A stage that fails ends all
/// others.
struct ImportPipeline {
  private let group = StageGroup()
  private let plan: ImportPlan
  private let reader: BackupReader
  private let writer: TimelineWriter
  private let chunks: ChunkWriter
  private let hashes: HashStage
  private let durability: DurabilityStage
  private let pages: BatchPipeline<PageBatch>
  private let start: ContinuousClock.Instant
  private let recovered: RecoveredCluster?
  private let counters = ImportCounters()
  private let progress: RunProgress?

  /// Opens the input first and then claims the output, so that a bad path leaves no trace.
  ///
  /// The summary counts the time since `start`, and says what was done to a cluster that had to be
  /// `recovered`.
  init(
    plan: ImportPlan, since start: ContinuousClock.Instant, recovered: RecoveredCluster? = nil,
    progress: RunProgress?
  ) throws(Failure) {
    self.plan = plan
    self.start = start
    self.recovered = recovered
    self.progress = progress
    pages = BatchPipeline(
      group, BatchPipeline.Names(fill: "tar", work: "compress", drain: "write"), jobs: plan.jobs,
      batches: (0..<plan.reading.batchCount).map { _ in
        PageBatch(checksPages: plan.pageChecksums != .skip)
      })
    durability = DurabilityStage(counters: counters)
    chunks = ChunkWriter(
      group, memoryLimit: plan.chunkMemoryByteCount,
      finished: group.channel(capacity: ImportPlan.pendingLayerLimit))
    hashes = HashStage(group, jobs: plan.jobs, finished: chunks.finished)
    reader = try BackupReader(
      plan.reading, phase: .reading, counters: counters, progress: progress,
      failure: group.failure)
    writer = try TimelineWriter(plan: plan, chunks: chunks)
  }

  /// Runs the import to its end, or removes what it wrote and throws.
  func run() throws(Failure) -> ImportSummary {
    do throws(Failure) {
      try requireSpace()
      let makeDurable = Stage("sync") { [durability, hashes] () throws(Failure) in
        try durability.run(hashes.hashed)
      }
      let writeChunks = Stage("chunk") { [chunks] () throws(Failure) in try chunks.run() }
      let written = try group.run(
        [makeDurable, writeChunks] + hashes.stages, beside: "import", writeLayers)
      return try commit(written)
    } catch {
      writer.abandon()
      throw error
    }
  }

  /// What has been written, and what the index is to say of it.
  private struct Written {
    var summary: ImportSummary
    var metadata: IndexPart.Metadata
  }

  /// Reads the backup, checks it, and writes all layers.
  private func writeLayers() throws(Failure) -> Written {
    let backup = try pages.run(
      fill: { [reader] feed throws(Failure) in try reader.run(feed) },
      work: { [level = plan.compressionLevel] batches throws(Failure) in
        var encoder = try BlobEncoder(level: level)
        try batches.each { batch throws(Failure) in
          try batch.pages.makeBlobs(with: &encoder)
        }
      },
      drain: { batch throws(Failure) in
        counters.setWriting(true)
        defer { counters.setWriting(false) }
        try writer.store(batch.pages)
      })
    progress?.begin(.finishing) { [counters] in
      RunProgress.Amount(written: counters.outputByteCount, isWriting: true)
    }
    try writer.finishChunk()
    var contents = backup.contents
    let manifest = try reader.checkManifest(writer.segments)
    let assessment = try contents.assessed()
    let pageChecksums = try writer.pageCheck.checked(plan.pageChecksums, in: assessment)
    let relations = try writer.relations(upTo: assessment.endLSN)
    try contents.requireComplete(relations, version: assessment.version)
    try writer.writeMetadataLayer(
      KeyspaceWriter(Cluster(contents, assessment, relations)), at: assessment.importLSN,
      end: assessment.endLSN)
    writer.finish()

    var summary = ImportSummary(contents, assessment, relations)
    summary.markedDatabaseCount = contents.databaseCount(withColumnsIn: writer.markedRelations)
    summary.inputByteCount = backup.inputByteCount
    summary.manifest = manifest
    summary.pageChecksums = pageChecksums
    return Written(
      summary: summary,
      metadata: IndexPart.Metadata(
        importLSN: assessment.importLSN, endLSN: assessment.endLSN,
        previousRecordLSN: assessment.previousRecordLSN,
        postgresVersion: assessment.version.rawValue))
  }

  /// Writes index and receipt, gives everything its name, and gives the whole summary.
  private func commit(_ written: Written) throws(Failure) -> ImportSummary {
    try Interruption.check()
    let index = try writer.writeIndex(durability.layers, written.metadata)
    var summary = written.summary
    summary.backupPath = absoluteInput(plan.backupPath)
    summary.tenantID = plan.tenant.description
    summary.timelineID = plan.timeline.description
    summary.generation = plan.generation
    summary.timelinePath = SystemCalls.absolute(writer.timelinePath)
    summary.indexPath = summary.timelinePath + "/" + index.digest.name
    summary.receiptPath = writer.receiptPath.map(SystemCalls.absolute)
    summary.take(durability.layers, index.digest)
    summary.pageCount = writer.pageCount
    summary.stampedPageCount = writer.stampedPageCount
    summary.segmentTableByteCount = writer.segmentTableByteCount
    if let recovered { summary.take(recovered) }
    summary.listChanges()
    summary.listWarnings()
    summary.seconds = (ContinuousClock.now - start) / .seconds(1)
    try writer.commit(durability.layers, index, summary)
    return summary
  }

  /// Refuses a clear shortage of space before any work, if the backup's size is known.
  private func requireSpace() throws(Failure) {
    guard let inputByteCount = reader.inputByteCount else { return }
    try FreeSpace.require(
      FreeSpace.leastNeeded(
        inputByteCount: inputByteCount, isCompressed: reader.isCompressed,
        level: plan.compressionLevel),
      at: writer.timelinePath)
  }
}

/// Pages are stored as a pageserver stores them: compressed one by one.
extension BlobEncoder: PageBlobMaker {}
