import Backup
import LayerFormat
import Pipeline
import PostgresFormat
import System
import Timeline

/// Compares a timeline with a backup: every page, every other value, and that neither has more.
///
/// ```
///  read ─► tar ─► locate ─► compare-1 … ─► check
///           ▲        ▲                       │
///           │        └──────── free ─────────┤
///           └───────────── empty ────────────┘
/// ```
///
/// `tar` fills batches with pages as in an import, `locate` puts beside them what the timeline has
/// stored (`StoredPageReader`), `compare` compares, `check` gathers what came of it.
///
/// The backup is read once, as an import reads it. Values are compared as they are stored.
struct BackupComparison {
  private let group = StageGroup()
  private let timeline: Timeline
  private let jobs: Int
  private let reader: BackupReader
  private let batchCount: Int

  /// What came of it.
  struct Result: Sendable {
    var findings = Findings()
    var pageCount: UInt64 = 0
  }

  private struct Collected: Sendable {
    var result = Result()
    var segments = SegmentTable()
    var placements: PlacementTable
  }

  init(
    _ timeline: Timeline, backup: String, stripComponents: Int, sizeLimit: SizeLimit?,
    jobs: Int, progress: RunProgress?
  ) throws(Failure) {
    var options = BackupReaderOptions(
      backup: backup, stripComponents: stripComponents, checksManifest: false,
      smallRelationSize: BackupReaderOptions.usualSmallRelationSize,
      batchCount: BackupReaderOptions.batchCount(jobs: jobs),
      recoveryRefusal: { code, message, version in
        // The place for the copy is the user's to choose.
        var failure = RecoveryAdvice(backup: backup).refusal(code, message, version)
          .remedied(by: nil)
        failure.hint = failure.hint.map { $0 + " Give '--scratch' as well." }
        return failure
      })
    options.sizeLimit = sizeLimit
    self.timeline = timeline
    self.jobs = jobs
    batchCount = options.batchCount
    reader = try BackupReader(
      options, phase: .comparing, counters: nil, progress: progress, failure: group.failure)
  }

  /// Throws what is wrong with the backup, as an import would.
  ///
  /// A backup of a cluster with another identifier is one finding, and differs in nothing else. What a
  /// server recovered for the comparison has times of its own in its control file, and perhaps other
  /// statistics.
  ///
  /// - Parameter control: the timeline's control file.
  func run(
    _ placements: PlacementTable, _ control: ControlFile?, isRecovered: Bool
  ) throws(Failure) -> Result {
    var (contents, collected) = try collect(placements)
    let assessment = try contents.assessed()
    let found = assessment.controlFile.systemIdentifier
    if let systemIdentifier = control?.systemIdentifier, found != systemIdentifier {
      var result = Result()
      result.findings.add(
        .otherCluster,
        "the backup is from another cluster: its system identifier is \(found), but the timeline has "
          + "\(systemIdentifier)")
      return result
    }
    let relations = try collected.segments.relations(upTo: assessment.endLSN)
    try contents.requireComplete(relations, version: assessment.version)
    collected.result.findings.add(timeline.index.metadata, assessment)
    collected.result.findings.addUncompared(collected.placements)
    var cluster = Cluster(contents, assessment, relations)
    var digests = collected.placements.digests
    if isRecovered {
      if let control { cluster.takeTimes(of: control) }
      cluster.statistics = nil
      digests.removeAll { $0.key.meaning == .statisticsFile }
    }
    collected.result.findings.compare(KeyspaceWriter(cluster), with: digests)
    return collected.result
  }

  /// Reads the backup and compares all pages.
  private func collect(
    _ placements: PlacementTable
  ) throws(Failure) -> (ClusterContents, Collected) {
    let empty = group.channel(
      capacity: batchCount, (0..<batchCount).map { _ in PageBatch() })
    let full = group.channel(capacity: batchCount, [PageBatch]())
    let reading = StageResult<BackupReader.Result>()
    let read = Stage("tar") { [reader] () throws(Failure) in
      let feed = BatchFeed(free: empty, work: full)
      reading.set(try reader.run(feed))
      try feed.finish()
    }
    let pipeline = BatchPipeline(
      group, BatchPipeline.Names(fill: "locate", work: "compare", drain: "check"), jobs: jobs,
      batches: (0..<batchCount).map { _ in ComparisonBatch() })
    var collected = Collected(placements: placements)
    try pipeline.run(
      beside: [read],
      fill: { [timeline] feed throws(Failure) in
        var reader = StoredPageReader(timeline, placements)
        try reader.run(full, into: feed)
      },
      work: { batches throws(Failure) in
        var decoder = try BlobDecoder()
        try batches.each { batch throws(Failure) in try batch.compare(with: &decoder) }
      },
      drain: { batch throws(Failure) in
        guard let backup = batch.backup else { return }
        for run in backup.pages.runs { collected.segments.add(run) }
        for case .some(let stored) in batch.stored {
          collected.placements.markCompared(stored.run)
        }
        for difference in batch.differences { collected.result.findings.add(difference) }
        collected.result.pageCount += UInt64(backup.pages.pageCount)
        batch.reset()  // it refers to the pages
        try empty.send(backup)
      })
    return (try reading.get().contents, collected)
  }
}

extension Findings {
  /// Compares what the index says with what follows from the backup.
  fileprivate mutating func add(_ index: IndexPart.Metadata, _ backup: ClusterAssessment) {
    let pairs = [
      ("initdb_lsn", index.initdbLSN, backup.importLSN),
      ("prev_record_lsn", index.previousRecordLSN, backup.previousRecordLSN),
      ("disk_consistent_lsn", index.diskConsistentLSN, backup.endLSN),
    ]
    for (field, timeline, backup) in pairs where timeline != backup {
      add(
        .indexDiffers,
        "\(field) of the index is \(timeline?.description ?? "null"), but the backup has "
          + (backup?.description ?? "null"))
    }
    if index.postgresVersion != backup.version.rawValue {
      add(
        .indexDiffers,
        "the timeline is from Postgres \(index.postgresVersion), but the backup from "
          + "\(backup.version.rawValue)")
    }
  }

  /// Adds the pages of the timeline that the backup does not have.
  fileprivate mutating func addUncompared(_ placements: PlacementTable) {
    for run in placements.runs where run.comparedCount < run.blockCount {
      guard let meaning = run.firstKey.meaning else { continue }
      add(
        .pageNotInBackup, about: meaning,
        "\(run.blockCount - run.comparedCount) of \(run.blockCount) pages from \(meaning.words) on "
          + "are not in the backup")
    }
  }

  /// Compares every value that is no page; both sides come in the order of the keys.
  fileprivate mutating func compare(
    _ backup: KeyspaceWriter, with digests: [(key: Key, digest: ValueDigest)]
  ) {
    var rest = digests[...]
    backup.write { key, value in
      while let first = rest.first, first.key < key {
        addSuperfluous(first.key)
        rest.removeFirst()
      }
      guard let meaning = key.meaning else { return }
      guard let first = rest.first, first.key == key else {
        add(
          .valueNotInTimeline, about: meaning, "\(meaning.words) is not in the timeline")
        return
      }
      rest.removeFirst()
      let digest = ValueDigest(value)
      if digest != first.digest {
        add(.valueDiffers, about: meaning, Self.difference(meaning, first.digest, digest))
      }
    }
    for left in rest { addSuperfluous(left.key) }
  }

  private mutating func addSuperfluous(_ key: Key) {
    guard let meaning = key.meaning else { return }
    add(.valueNotInBackup, about: meaning, "\(meaning.words) is not in the backup")
  }

  private static func difference(
    _ meaning: KeyMeaning, _ timeline: ValueDigest, _ backup: ValueDigest
  ) -> String {
    switch meaning {
    case .relationSize, .slruSegmentSize:
      "\(meaning.words) is \(timeline.blockCount) in the timeline, \(backup.blockCount) in the "
        + "backup"
    default: "\(meaning.words) differs from the backup"
    }
  }
}
