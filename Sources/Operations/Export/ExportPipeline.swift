import Backup
import LayerFormat
import Pipeline
import PostgresFormat
import System
import Timeline

/// The stages of one export and the channels between them, each under its thread's name.
///
/// ```
///  read ─► decompress-1 … ─► write
///    ▲                         │
///    └───────── free ──────────┘
/// ```
struct ExportPipeline {
  private let options: ExportOptions
  private let jobs: Int
  private let timeline: Timeline
  private let version: PostgresVersion
  private let reader: TimelineReader
  private let counters = ImportCounters()
  private let progress: RunProgress?

  /// Reads the index, and refuses a timeline that cannot be exported by what that says.
  init(_ options: ExportOptions, progress: RunProgress?) throws(Failure) {
    self.options = options
    self.progress = progress
    jobs = options.jobs ?? Processors.count
    timeline = try Timeline(try TimelinePlace(at: options.timeline, options.store))
    try timeline.requireAlive()
    try timeline.requireWhole()
    version = try timeline.exportableVersion()
    reader = TimelineReader(
      timeline, forPageserver: options.forPageserver, counters: counters, progress: progress)
  }

  func run() throws(Failure) -> ExportSummary {
    let cluster = try reader.readContents(version)
    let members = try timeline.members(of: cluster, forPageserver: options.forPageserver)
    // Only now: what cannot be exported leaves no trace.
    let writer = try BackupWriter(
      options.output, time: members.controlFile.time, counters: counters)
    try writer.add(members.beforePages())
    try movePages(of: cluster, to: writer)
    progress?.begin(.finishing) { [counters] in
      RunProgress.Amount(written: counters.outputByteCount, isWriting: true)
    }
    try writer.add(members.afterPages())
    try Interruption.check()
    try writer.finish()

    var summary = ExportSummary(timeline, options)
    summary.postgresVersion = version.rawValue
    summary.systemIdentifier = String(members.controlFile.systemIdentifier)
    summary.endLSN = members.end.description
    summary.databaseCount = cluster.databases.count { $0.id != 0 }
    summary.fileCount = writer.fileCount
    summary.pageCount = writer.pageCount
    summary.outputByteCount = writer.byteCount
    summary.preparedTransactionCount = cluster.preparedTransactions.count
    return summary
  }

  /// Runs the stages side by side until the last page is written.
  private func movePages(
    of cluster: Cluster, to writer: BackupWriter
  ) throws(Failure) {
    let pipeline = BatchPipeline(
      StageGroup(), BatchPipeline.Names(fill: "read", work: "decompress", drain: "write"),
      jobs: jobs, batches: (0..<jobs * 4 + 8).map { _ in ExportBatch() })
    try pipeline.run(
      fill: { [reader] feed throws(Failure) in try reader.readPages(cluster, into: feed) },
      work: { batches throws(Failure) in
        var decoder = try BlobDecoder()
        try batches.each { batch throws(Failure) in
          try batch.makePages(with: &decoder)
        }
      },
      drain: writer.write)
  }
}

extension ExportSummary {
  /// What was read, and what was asked for.
  fileprivate init(_ timeline: Timeline, _ options: ExportOptions) {
    timelinePath = absolutePlace(timeline.path)
    let identity = TimelineIdentity(path: timelinePath)
    tenantID = identity?.tenant.description
    timelineID = identity?.timeline.description
    generation = timeline.generation
    importLSN = timeline.index.metadata.initdbLSN.description
    backupPath =
      switch options.output {
      case .standardOutput: "-"
      case .file(let path), .newFile(let path): SystemCalls.absolute(path)
      }
    let kind: ClusterAssessment.Kind = options.forPageserver ? .fullbackup : .cleanShutdown
    backupKind = kind.rawValue
  }
}

extension Timeline {
  /// The version of Postgres, unless the index says that the timeline cannot be exported.
  fileprivate func exportableVersion() throws(Failure) -> PostgresVersion {
    guard let version = PostgresVersion(rawValue: index.metadata.postgresVersion) else {
      throw Failure(
        .unsupportedVersion,
        "\(path.quoted) is from Postgres \(index.metadata.postgresVersion), which is not supported")
    }
    return version
  }

  /// The members besides pages, once the control file and the end have been checked.
  fileprivate func members(
    of cluster: Cluster, forPageserver: Bool
  ) throws(Failure) -> ExportMembers {
    do throws(FormatError) {
      let end = index.metadata.diskConsistentLSN
      try WALLayout.requireRecordEnd(end)
      let controlFile = try ControlFile(decoding: cluster.controlFile.bytes)
      guard controlFile.version == cluster.version else {
        throw .damaged(
          "the index says Postgres \(cluster.version.rawValue), the control file "
            + "\(controlFile.version.rawValue)")
      }
      return ExportMembers(
        cluster: cluster, controlFile: controlFile,
        checkpoint: Checkpoint(cluster.checkpoint.bytes),
        end: WALLayout.recordStart(
          atOrAfter: end, segmentSize: WALLayout.pageserverSegmentSize),
        previousRecord: index.metadata.previousRecordLSN, forPageserver: forPageserver)
    } catch {
      throw Failure(error, in: "timeline \(path.quoted)", damage: .timelineInconsistent)
    }
  }
}
