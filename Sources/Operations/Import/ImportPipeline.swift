import Backup
import LayerFormat
import Pipeline
import PostgresFormat
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
/// `sync` makes them durable, or `upload-1` … send them to a bucket (`StoreStage`). Memory stays as
/// `ImportPlan` shares it out. A stage that fails ends all others.
struct ImportPipeline {
  private let group = StageGroup()
  private let plan: ImportPlan
  private let input: Input
  private let writer: TimelineWriter
  private let chunks: ChunkWriter
  private let hashes: HashStage
  private let store: StoreStage
  private let start: ContinuousClock.Instant
  private let counters = ImportCounters()
  private let progress: RunProgress?

  /// What is imported.
  private enum Input {
    /// A cluster that was shut down, be it by a recovery.
    case stopped(BackupReader, recovered: RecoveredCluster?)
    /// One that was running, and is recovered on the way.
    case running(RunningBackup)
  }

  /// Opens the input first and then claims the output, so that a bad path leaves no trace.
  ///
  /// The summary counts the time since `start`, and says what was done to a cluster that had to be
  /// `recovered`.
  init(
    plan: ImportPlan, since start: ContinuousClock.Instant, recovered: RecoveredCluster? = nil,
    progress: RunProgress?
  ) throws(Failure) {
    try self.init(plan, since: start, progress) { failure, counters throws(Failure) in
      .stopped(
        try BackupReader(
          plan.reading, phase: .reading, counters: counters, progress: progress,
          failure: failure), recovered: recovered)
    }
  }

  /// Imports a backup of a running cluster.
  init(
    plan: ImportPlan, _ backup: RunningBackup, since start: ContinuousClock.Instant,
    progress: RunProgress?
  ) throws(Failure) {
    try self.init(plan, since: start, progress) { _, _ in .running(backup) }
  }

  private init(
    _ plan: ImportPlan, since start: ContinuousClock.Instant, _ progress: RunProgress?,
    open: (FirstFailure, ImportCounters) throws(Failure) -> Input
  ) throws(Failure) {
    self.plan = plan
    self.start = start
    self.progress = progress
    store = StoreStage(counters: counters)
    chunks = ChunkWriter(
      group, memoryLimit: plan.chunkMemoryByteCount, shardCount: plan.place.shards.numbers.count,
      stagedLimit: plan.bucket?.uploadCount,
      finished: group.channel(capacity: ImportPlan.pendingLayerLimit))
    hashes = HashStage(group, jobs: plan.jobs, finished: chunks.finished)
    input = try open(group.failure, counters)
    writer = try TimelineWriter(plan: plan, chunks: chunks)
  }

  /// Runs the import to its end, or removes what it wrote and throws.
  func run() throws(Failure) -> ImportSummary {
    do throws(Failure) {
      try requireSpace()
      let writeChunks = Stage("chunk") { [chunks] () throws(Failure) in try chunks.run() }
      let written = try group.run(
        store.stages(hashes.hashed, writer.layerStore, chunks, group.failure) + [writeChunks]
          + hashes.stages,
        beside: "import", writeLayers)
      return try commit(written)
    } catch {
      throw writer.abandon(after: error)
    }
  }

  /// What has been written, and what the index is to say of it.
  private struct Written {
    var summary: ImportSummary
    var metadata: IndexPart.Metadata
  }

  /// Reads the backup, checks it, and writes all layers.
  private func writeLayers() throws(Failure) -> Written {
    switch input {
    case .stopped(let reader, let recovered):
      let backup = try storePages { feed throws(Failure) in try reader.run(feed) }
      try finishPages()
      let manifest = try reader.checkManifest(writer.segments)
      var unfinished: Set<RelationForkID> = []
      var written = try finish(
        backup.contents, pageCheck: writer.pageCheck
      ) { [writer] assessment throws(Failure) in
        unfinished = try UnfinishedRelations.among(
          writer.segments, of: assessment, at: plan.reading.backup)
        return try writer.relations(upTo: assessment.endLSN, unfinished: unfinished)
      }
      written.summary.unfinishedRelationCount = unfinished.relationCount
      written.summary.inputByteCount = backup.inputByteCount
      written.summary.manifest = manifest
      if let recovered { written.summary.take(recovered) }
      return written
    case .running(let backup): return try writeLayers(of: backup)
    }
  }

  private func writeLayers(of backup: RunningBackup) throws(Failure) -> Written {
    try storePages { [counters, group] feed throws(Failure) in
      try backup.readBase(feed, .reading, counters, group.failure)
    }
    let (segments, pageCheck) = try writer.finishBase()
    let sizes = try BaseSizes(segments)
    try backup.replay(
      over: segments, sizes, pageCheck,
      WrittenBasePages(try WrittenPages(chunks.layers, plan.layout, open: writer.open)))
    let changes = try storePages { feed throws(Failure) in try backup.readChanges(sizes, feed) }
    try finishPages()
    var unfinishedCount = 0
    var written = try finish(
      changes.contents, pageCheck: try backup.pageCheck(writer.pageCheck, sizes, changes)
    ) { assessment throws(Failure) in
      let end = assessment.endLSN
      unfinishedCount = try backup.requireNoPage(newerThan: end, writer.segments, sizes, changes)
      var all = changes.segments
      return try all.relations(upTo: end)
    }
    written.summary.unfinishedRelationCount = unfinishedCount
    written.summary.inputByteCount = backup.inputBytesRead
    written.summary.take(try backup.recovered())
    return written
  }

  /// Has pages read, compressed and stored.
  private func storePages<Filled: Sendable>(
    _ fill: @escaping @Sendable (BatchFeed<PageBatch>) throws(Failure) -> Filled
  ) throws(Failure) -> Filled {
    let pages = BatchPipeline(
      group, BatchPipeline.Names(fill: "tar", work: "compress", drain: "write"), jobs: plan.jobs,
      batches: (0..<plan.reading.batchCount).map { _ in
        PageBatch(checksPages: plan.pageChecksums != .skip)
      })
    return try pages.run(
      fill: fill,
      work: { [level = plan.compressionLevel, shards = plan.place.shards] batches throws(Failure) in
        var encoder = try BlobEncoder(level: level)
        try batches.each { batch throws(Failure) in
          try batch.pages.makeBlobs(with: &encoder, of: shards)
        }
      },
      drain: { batch throws(Failure) in
        counters.setWriting(true)
        defer { counters.setWriting(false) }
        try writer.store(batch.pages)
      })
  }

  private func finishPages() throws(Failure) {
    progress?.begin(.finishing) { [counters] in
      RunProgress.Amount(written: counters.outputByteCount, isWriting: true)
    }
    try writer.finishPages()
  }

  /// Judges what was read, and writes everything that is no page.
  ///
  /// `relations` gives every fork, and throws as `SegmentTable` does.
  private func finish(
    _ contents: ClusterContents, pageCheck: PageCheckResult,
    relations: (ClusterAssessment) throws(Failure) -> [Cluster.Relation]
  ) throws(Failure) -> Written {
    var contents = contents
    let assessment = try contents.assessed()
    let pageChecksums = try pageCheck.checked(plan.pageChecksums, in: assessment)
    let relations = try relations(assessment)
    try contents.requireComplete(relations, version: assessment.version)
    try writer.writeMetadataLayers(
      KeyspaceWriter(Cluster(contents, assessment, relations)), at: assessment.importLSN,
      end: assessment.endLSN)
    writer.finish()

    var summary = ImportSummary(contents, assessment, relations)
    summary.markedDatabaseCount = contents.databaseCount(withColumnsIn: writer.markedRelations)
    summary.pageChecksums = pageChecksums
    summary.pageCount = contents.pageCount(with: relations)
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
    let layers = writer.valid(store.layers)
    let indexes = try writer.writeIndexes(layers, written.metadata)
    var summary = written.summary
    summary.backupPath = absoluteInput(plan.backupPath)
    summary.tenantID = plan.tenant.description
    summary.timelineID = plan.timeline.description
    summary.generation = plan.generation
    summary.shardCount = plan.layout.count
    (summary.layout, summary.layoutReason) = plan.layout(isSorted: writer.hasSortedBase)
    if plan.place.shards.isPartial { summary.onlyShards = plan.place.shards.numbers }
    summary.stripeSize = Int(plan.layout.stripeSize)
    summary.timelinePath = absolutePlace(writer.timelinePath)
    summary.indexPath = writer.path(of: indexes[0])
    summary.receiptPath = writer.receiptPath.map(absolutePlace)
    summary.take(layers, indexes.map(\.digest), digest: writer.digest)
    summary.stampedPageCount = writer.stampedPageCount
    summary.segmentTableByteCount = writer.segmentTableByteCount
    summary.listChanges()
    summary.listWarnings(storeWeakness: writer.storeWeakness)
    summary.seconds = (ContinuousClock.now - start) / .seconds(1)
    try writer.commit(layers, indexes, summary)
    if let leftover = writer.leftover {
      summary.warnings.append(Warning(.remainsNotRemoved, leftover))
    }
    return summary
  }

  /// Refuses a clear shortage of space before any work, if the backup's size is known.
  private func requireSpace() throws(Failure) {
    guard case .stopped(let reader, _) = input, let inputByteCount = reader.inputByteCount,
      let path = writer.directoryPath
    else { return }
    try FreeSpace.require(
      FreeSpace.leastNeeded(
        inputByteCount: inputByteCount, isCompressed: reader.isCompressed,
        level: plan.compressionLevel),
      at: path)
  }
}

/// Pages are stored as a pageserver stores them: compressed one by one.
extension BlobEncoder: PageBlobMaker {}
