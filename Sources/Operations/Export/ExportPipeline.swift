import Backup
import Pipeline
import PostgresFormat
import System
import Timeline

/// The stages of one export and the channels between them.
///
/// ```
///                 work                made
///  TimelineReader ──► workers × jobs ──► BackupWriter
///        ▲                                    │
///        └─────────────── free ───────────────┘
/// ```
///
/// As in `ImportPipeline`: batches come from a fixed pool, and a stage that fails stops all others.
struct ExportPipeline: Pipeline {
  let failure = FirstFailure()
  private let options: ExportOptions
  private let jobs: Int
  private let timeline: Timeline
  private let version: PostgresVersion
  private let reader: TimelineReader
  private let counters = ImportCounters()

  private let free: Channel<ExportBatch>
  private let work = Channel<ExportBatch>()
  private let made = Channel<ExportBatch>()

  /// Reads the index, and refuses a timeline that cannot be exported by what that says.
  init(_ options: ExportOptions, progress: (any ProgressReporting)?) throws(Failure) {
    self.options = options
    jobs = options.jobs ?? Processors.count
    timeline = try Timeline(path: options.timeline)
    try timeline.requireAlive()
    try timeline.requireWhole()
    version = try timeline.exportableVersion()
    free = Channel((0..<jobs * 4 + 8).map { _ in ExportBatch() })
    reader = TimelineReader(
      timeline, forPageserver: options.forPageserver, counters: counters, progress: progress,
      free: free, work: work)
  }

  func run() async throws(Failure) -> ExportSummary {
    let contents = try await reader.readContents(version)
    let members = try timeline.members(of: contents, forPageserver: options.forPageserver)
    // Only now: what cannot be exported leaves no trace.
    let writer = try BackupWriter(
      options.output, time: members.controlFile.time, counters: counters)
    try await writer.add(members.beforePages())
    try await movePages(of: contents, to: writer)
    try await writer.add(members.afterPages())
    try Interruption.check()
    try await writer.finish()

    var summary = ExportSummary()
    summary.postgresVersion = version.rawValue
    summary.endLSN = members.end.description
    summary.databaseCount = contents.databases.count { $0.id != 0 }
    summary.fileCount = await writer.fileCount
    summary.pageCount = await writer.pageCount
    summary.byteCount = await writer.byteCount
    summary.preparedTransactionCount = contents.twoPhaseFiles.count
    return summary
  }

  /// Runs the stages side by side until the last page is written.
  private func movePages(
    of contents: ExportContents, to writer: BackupWriter
  ) async throws(Failure) {
    let read: Stage = { () throws(Failure) in try await reader.readPages(contents) }
    try await run([read, decompress]) { () throws(Failure) in
      try await writer.writePages(made, free: free)
    }
  }

  var channels: [any FailableChannel] { [free, work, made] }

  /// Makes pages of stored values with as many workers as there are jobs.
  private func decompress() async throws(Failure) {
    try await runWorkers(jobs) { () throws(Failure) in
      var decompressor = try BlobDecompressor()
      while let batch = try await work.receive() {
        try batch.makePages(with: &decompressor)
        made.send(batch)
      }
    }
    made.finish()
  }
}

extension Timeline {
  /// The version of Postgres, unless the index says that the timeline cannot be exported.
  fileprivate func exportableVersion() throws(Failure) -> PostgresVersion {
    guard let version = PostgresVersion(rawValue: index.metadata.postgresVersion) else {
      throw Failure(
        .unsupported,
        "\(path.quoted) is of Postgres \(index.metadata.postgresVersion), which is not known")
    }
    return version
  }

  /// The members besides pages, once the control file and the end have been checked.
  fileprivate func members(
    of contents: ExportContents, forPageserver: Bool
  ) throws(Failure) -> ExportMembers {
    do throws(FormatError) {
      let end = index.metadata.diskConsistentLSN
      try WALLayout.requireRecordEnd(end)
      let controlFile = try ControlFile(decoding: contents.controlFile.bytes)
      guard controlFile.version == contents.version else {
        throw .damaged(
          "the index says Postgres \(contents.version.rawValue), the control file "
            + "\(controlFile.version.rawValue)")
      }
      return ExportMembers(
        contents: contents, controlFile: controlFile,
        checkpoint: Checkpoint(contents.checkpoint.bytes),
        end: WALLayout.recordStart(
          atOrAfter: end, segmentSize: WALLayout.pageserverSegmentSize),
        previousRecord: index.metadata.previousRecordLSN, forPageserver: forPageserver)
    } catch {
      throw Failure(error, in: "timeline \(path.quoted)")
    }
  }
}
