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
///
/// A backup of a running cluster is recovered in one pass (`RunningBackup`):
///
/// ```
/// page of the base     equal to the timeline's     different
///                      read back from there, if    put into the skeleton (`KeptPages`)
///                      replay needs it
/// after the replay     compared, if replay touched it; cut off or dropped, or else equal
/// ```
///
/// So the timeline serves as the copy of the base only where it was seen to be one, whatever import made it,
/// and the skeleton holds what a sound timeline has above its base, and all that differs in one that is not.
struct BackupComparison {
  private let group = StageGroup()
  private let timeline: Timeline
  private let jobs: Int
  private let progress: RunProgress?
  private let options: BackupReaderOptions
  /// Nil for a cluster that was running.
  private let reader: BackupReader?
  private let running: RunningBackup?

  /// What the tables of touched blocks of a running cluster may take: 4 MiB each.
  private static let planMemory = 4 << 20

  /// What came of it.
  struct Result: Sendable {
    var findings = Findings()
    var pageCount: UInt64 = 0
  }

  private struct Collected: Sendable {
    var result = Result()
    var segments = SegmentTable()
    /// Of the first table.
    var compared: ComparedCounts
  }

  /// A comparison with a backup of a cluster that was shut down.
  init(
    _ timeline: Timeline, backup: String, stripComponents: Int, sizeLimit: SizeLimit?,
    jobs: Int, progress: RunProgress?
  ) throws(Failure) {
    self.timeline = timeline
    self.jobs = jobs
    self.progress = progress
    options = Self.options(backup, stripComponents, sizeLimit, jobs)
    running = nil
    reader = try BackupReader(
      options, phase: .comparing, counters: nil, progress: progress, failure: group.failure)
  }

  /// A comparison with one of a running cluster, which is recovered on the way. If it cannot be the backup
  /// of the timeline, it is not read any further than to where it says so.
  init(
    _ timeline: Timeline, _ recovery: Recovery, in place: Recovery.Place, backup: String,
    stripComponents: Int, jobs: Int, progress: RunProgress?
  ) throws(Failure) {
    self.timeline = timeline
    self.jobs = jobs
    self.progress = progress
    options = Self.options(backup, stripComponents, nil, jobs)
    reader = nil
    running = try RunningBackup(
      recovery, in: place, options, planMemory: Self.planMemory, progress: progress)
  }

  private static func options(
    _ backup: String, _ stripComponents: Int, _ sizeLimit: SizeLimit?, _ jobs: Int
  ) -> BackupReaderOptions {
    var options = BackupReaderOptions(
      backup: backup, stripComponents: stripComponents, checksManifest: false,
      smallRelationSize: BackupReaderOptions.usualSmallRelationSize,
      batchCount: BackupReaderOptions.batchCount(jobs: jobs),
      recoveryRefusal: RecoveryAdvice(backup: backup, needsScratch: true).refusal)
    options.sizeLimit = sizeLimit
    return options
  }

  /// Throws what is wrong with the backup, as an import would.
  ///
  /// A backup of a cluster with another identifier is one finding, and nothing else is compared. What a
  /// server recovered for the comparison has times of its own in its control file, and perhaps other
  /// statistics.
  ///
  /// - Parameters:
  ///   - read: what was read of the timeline.
  ///   - recovered: the copy that a server recovered for the comparison, if that is what is compared.
  func run(
    _ read: VerifyPipeline.Result, recovered: RecoveredCluster? = nil
  ) throws(Failure) -> Result {
    if let running { return try run(read, running) }
    let (contents, collected) = try collect(in: [read.placements]) {
      [reader] feed throws(Failure) in
      guard let reader else { throw Failure(.bug, "there is no backup to read") }
      return try reader.run(feed).contents
    }
    return try finish(contents, collected, read, isRecovered: recovered != nil) {
      assessment throws(Failure) in
      var segments = collected.segments
      let unfinished = try UnfinishedRelations.among(segments, of: assessment, at: options.backup)
      return try segments.relations(upTo: assessment.endLSN, unfinished: unfinished)
    }
  }

  private func run(
    _ read: VerifyPipeline.Result, _ backup: RunningBackup
  ) throws(Failure) -> Result {
    let tables = [read.placements, read.gonePlacements]
    let base = try collect(
      in: tables,
      keep: { segment, block, page throws(Failure) in
        try backup.kept.keep(page, ReplayPlan.Relation(segment), block)
      },
      reading: { [group] feed throws(Failure) in
        try backup.readBase(feed, .comparing, nil, group.failure)
      }
    ).1.segments
    if let mismatch = backup.mismatch { return Result(mismatch, of: timeline, read) }
    let sizes = try BaseSizes(base)
    try backup.replay(
      over: base, sizes, PageCheckResult(), try StoredBasePages(timeline, tables))
    // What is gone from the timeline may not be gone from this backup.
    let gone = read.gonePlacements
    let (changes, collected) = try collect(in: [read.placements]) { feed throws(Failure) in
      try backup.readChanges(sizes, feed) { relation, blocks in
        gone.blocks(of: relation.mainFork, in: blocks)
      }
    }
    return try finish(
      changes.contents, collected, read, isRecovered: true
    ) { assessment throws(Failure) in
      let end = assessment.endLSN
      _ = try backup.requireNoPage(newerThan: end, collected.segments, sizes, changes)
      var segments = changes.segments
      return try segments.relations(upTo: end)
    }
  }

  /// Judges what was read, and compares everything that is no page.
  ///
  /// `relations` gives every fork, and throws as `SegmentTable` does.
  private func finish(
    _ contents: ClusterContents, _ collected: Collected, _ read: VerifyPipeline.Result,
    isRecovered: Bool,
    relations: (ClusterAssessment) throws(Failure) -> [Cluster.Relation]
  ) throws(Failure) -> Result {
    var contents = contents
    var collected = collected
    let assessment = try contents.assessed()
    let found = assessment.controlFile.systemIdentifier
    if let control = read.controlFile, found != control.systemIdentifier {
      return Result(.otherCluster(found), of: timeline, read)
    }
    let relations = try relations(assessment)
    try contents.requireComplete(relations, version: assessment.version)
    if running != nil {
      collected.compared.set(mainForksOf: relations, in: read.placements)
      collected.result.pageCount = contents.pageCount(with: relations)
    }
    var ofIndex = Findings()
    ofIndex.add(timeline.index.metadata, assessment)
    collected.result.findings.addFirst(ofIndex)
    collected.result.findings.addUncompared(read.placements, collected.compared)
    var cluster = Cluster(contents, assessment, relations)
    if isRecovered {
      if let control = read.controlFile { cluster.takeTimes(of: control) }
      cluster.statistics = nil
    }
    collected.result.findings.compare(
      KeyspaceWriter(cluster),
      with: read.placements.digests.lazy.filter { key, _ in
        !isRecovered || key.meaning != .statisticsFile
      })
    return collected.result
  }

  /// Has pages of the backup read and compares them with those in `tables`, the first of which is the
  /// timeline as it is now.
  ///
  /// With `keep`, pages of relations that differ or that the timeline does not have go there, and are no
  /// findings.
  private func collect<Filled: Sendable>(
    in tables: [PlacementTable],
    keep: ((RelationSegment, _ block: UInt32, RawSpan) throws(Failure) -> Void)? = nil,
    reading: @escaping @Sendable (BatchFeed<PageBatch>) throws(Failure) -> Filled
  ) throws(Failure) -> (Filled, Collected) {
    let batchCount = options.batchCount
    let empty = group.channel(
      capacity: batchCount, (0..<batchCount).map { _ in PageBatch() })
    let full = group.channel(capacity: batchCount, [PageBatch]())
    let result = StageResult<Filled>()
    let read = Stage("tar") { () throws(Failure) in
      let feed = BatchFeed(free: empty, work: full)
      result.set(try reading(feed))
      try feed.finish()
    }
    let pipeline = BatchPipeline(
      group, BatchPipeline.Names(fill: "locate", work: "compare", drain: "check"), jobs: jobs,
      batches: (0..<batchCount).map { _ in ComparisonBatch(keepsPages: keep != nil) })
    var collected = Collected(compared: ComparedCounts(of: tables[0]))
    try pipeline.run(
      beside: [read],
      fill: { [timeline] feed throws(Failure) in
        var reader = StoredPageReader(timeline, tables)
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
          if let run = stored.run { collected.compared.add(run) }
        }
        for difference in batch.differences { collected.result.findings.add(difference) }
        if let keep { try batch.forEachKeptPage(keep) }
        collected.result.pageCount += UInt64(backup.pages.pageCount)
        batch.reset()  // it refers to the pages
        try empty.send(backup)
      })
    return (try result.get(), collected)
  }
}

extension BackupComparison.Result {
  /// What there is to say if a timeline cannot have been made from the backup.
  init(
    _ mismatch: BackupIdentity.Mismatch, of timeline: Timeline, _ read: VerifyPipeline.Result
  ) {
    let expected = read.controlFile.map { "\($0.systemIdentifier)" } ?? "none"
    switch mismatch {
    case .otherCluster(let found):
      findings.add(
        .otherCluster,
        "the backup is from another cluster: its system identifier is \(found), but the timeline has "
          + expected)
    case .givenLogOfOtherCluster(let found):
      findings.add(
        .otherCluster,
        "the WAL of '--wal' is from another cluster: its system identifier is \(found), but the "
          + "timeline has \(expected)")
    case .later(let start):
      findings.add(
        .laterBackup,
        "the backup began at \(start), after the end of the timeline, "
          + "\(timeline.index.diskConsistentLSN): the timeline was not made from it")
    }
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
  fileprivate mutating func addUncompared(
    _ placements: PlacementTable, _ compared: ComparedCounts
  ) {
    for (index, run) in placements.runs.enumerated() where compared[index] < run.blockCount {
      guard let meaning = run.firstKey.meaning else { continue }
      add(
        .pageNotInBackup, about: meaning,
        "\(run.blockCount - compared[index]) of \(run.blockCount) pages from \(meaning.words) on "
          + "are not in the backup")
    }
  }

  /// Compares every value that is no page; both sides come in the order of the keys.
  fileprivate mutating func compare(
    _ backup: KeyspaceWriter, with digests: some Sequence<(key: Key, digest: ValueDigest)>
  ) {
    var rest = digests.makeIterator()
    var next = rest.next()
    backup.write { key, value in
      while let first = next, first.key < key {
        addSuperfluous(first.key)
        next = rest.next()
      }
      guard let meaning = key.meaning else { return }
      guard let first = next, first.key == key else {
        add(
          .valueNotInTimeline, about: meaning, "\(meaning.words) is not in the timeline")
        return
      }
      next = rest.next()
      let digest = ValueDigest(value)
      if digest != first.digest {
        add(.valueDiffers, about: meaning, Self.difference(meaning, first.digest, digest))
      }
    }
    while let left = next {
      addSuperfluous(left.key)
      next = rest.next()
    }
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
