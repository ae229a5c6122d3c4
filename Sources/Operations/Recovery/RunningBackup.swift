import Backup
import LayerFormat
import Pipeline
import PostgresFormat
import System
import Timeline

/// A backup of a running cluster, recovered in one pass: what it holds besides its pages is put into
/// a skeleton, in which Postgres replays the WAL; then what that has changed is read.
///
/// ```
/// backup ─► readBase ─► pages of main forks ──────────────────────► layers
///              └──────► skeleton ─► replay ─► readChanges ─► pages ─► layers above them
///                          ▲──────── pages that replay needs ◄────────────┘
/// ```
final class RunningBackup: @unchecked Sendable {
  // Invariant: its steps follow each other; each belongs to one stage of the pipeline.

  private let recovery: Recovery
  private let place: Recovery.Place
  private let reading: BackupReaderOptions
  private let progress: RunProgress?
  private let input = InputProgress()
  private let files: SkeletonFiles

  /// Pages that were put into the skeleton in the first pass.
  let kept: KeptPages
  private var intake: ScratchIntake
  private var copy: Recovery.Copy?
  private var replay: Recovery.Replay?
  private var pages: SkeletonPages?
  /// Every segment of the base.
  private var base = SegmentTable()
  /// What is wrong with pages of the base, which counts if the WAL does not replace them.
  private var baseCheck = PageCheckResult()
  private var unlogged: Set<ReplayPlan.Relation> = []

  /// - Parameters:
  ///   - planMemory: the bytes that the blocks may take which replay touches; a file in the scratch
  ///     directory holds what is more.
  init(
    _ recovery: Recovery, in place: Recovery.Place, _ reading: BackupReaderOptions,
    planMemory: Int, progress: RunProgress?
  ) throws(Failure) {
    files = try SkeletonFiles(place.scratch, owner: place.programs.sandbox.user)
    kept = KeptPages(place.scratch, files, memoryLimit: planMemory)
    self.recovery = recovery
    self.place = place
    self.progress = progress
    self.reading = reading
    intake = place.intake
  }

  /// The bytes that were read of the input.
  var inputBytesRead: UInt64 { input.inputBytesRead }

  // MARK: The first pass

  /// Why it is not the backup that it must be, if that turned out, so that it was not read any further.
  var mismatch: BackupIdentity.Mismatch? { intake.identity?.mismatch }

  /// Reads the backup, all of it: pages of main forks go to batches as they are. WAL in a tar of its own
  /// comes first, as its pages name the cluster.
  func readBase(
    _ feed: BatchFeed<PageBatch>, _ phase: RunProgress.Phase, _ counters: ImportCounters?,
    _ failure: FirstFailure
  ) throws(Failure) {
    progress?.begin(
      phase, reading: input, byteCount: place.backup.isPipe ? nil : place.inputByteCount,
      counters: counters)
    try recovery.takeGivenWriteAheadLog(into: &intake, input)
    guard mismatch == nil else { return }
    let (path, origin, log): (String, InputOrigin, String?) =
      switch place.backup {
      case .tar(let path): (path, .named, nil)
      case .tars(let base, let log, _): (base, .found, log)
      case .directory(let path): (path, .named, nil)
      }
    let strip = origin == .named ? reading.stripComponents : 0
    let source = try openBackup(
      path, and: reading.parts, origin, strippingComponents: strip,
      bufferCount: reading.inputBufferCount,
      contents: .everything, linked: place.directory?.linked ?? [:],
      sizeLimit: intake.sizeLimit, progress: input, failure: failure)
    var copy = BackupCopy(intake, progress)
    defer { intake = copy.intake }
    if let log, copy.intake.givenWriteAheadLog.isEmpty {
      try copy.run(
        try TarReader(path: log, .found, sizeLimit: intake.sizeLimit, progress: input),
        as: .writeAheadLog)
      copy.intake.identity?.judgeLog(isGiven: false)
    }
    try copy.run(
      source, as: .dataDirectory, strippingComponents: strip,
      pages: BackupCopy.Pages(
        filler: PageFiller(source, into: feed), smallRelationSize: reading.smallRelationSize))
  }

  // MARK: Replay

  /// Replays the WAL, once all pages of the base can be read back or are kept, and compares the backup with
  /// its manifest before that.
  ///
  /// - Parameters:
  ///   - base: every segment of the base.
  ///   - check: what the checksums of its pages said.
  ///   - written: reads pages of the base back that are not kept.
  func replay(
    over base: SegmentTable, _ sizes: BaseSizes, _ check: PageCheckResult,
    _ written: any BasePages
  ) throws(Failure) {
    let copy = try recovery.examine(intake, place, segments: base)
    let pages = try SkeletonPages(
      files, sizes, written, kept,
      ReplayPlan(
        mayEndEarly: recovery.options.target != nil, base: sizes, touched: kept.touched))
    let log = try recovery.checkLog(
      copy, place.scratch,
      observe: { record, change throws(Failure) in try pages.take(record, change) },
      page: pages.page)
    try pages.flush()
    try kept.close()
    replay = try recovery.replay(copy, log, place, pages: pages)
    try place.takeBack()
    self.copy = copy
    self.pages = pages
    self.base = base
    baseCheck = check
  }

  // MARK: The second pass

  /// What there is after replay.
  struct Changes: Sendable {
    /// What the skeleton holds besides pages of relations.
    var contents: ClusterContents
    /// Every segment with its length.
    var segments: SegmentTable
  }

  /// Reads what the skeleton holds now that is not the base's, and of the base those blocks that `wanted`
  /// gives of a range.
  func readChanges(
    _ sizes: BaseSizes, _ feed: BatchFeed<PageBatch>,
    wanted: ((ReplayPlan.Relation, Range<UInt32>) -> [Range<UInt32>])? = nil
  ) throws(Failure) -> Changes {
    guard let pages else { throw Failure(.bug, "nothing was replayed") }
    let putBack = wanted.map { wanted -> SkeletonReader.PutBack in
      { relation, blocks throws(Failure) in
        for run in wanted(relation, blocks) { try pages.putBack(run, of: relation) }
      }
    }
    let reader = try SkeletonReader(
      place.scratch.data, plan: pages.plan, base: base, sizes, putBack: putBack)
    progress?.begin(.readingChanges) { RunProgress.Amount() }
    try reader.run(feed, progress)
    unlogged = reader.unlogged
    return Changes(contents: reader.contents, segments: reader.segments)
  }

  /// What the checksums of all pages say that are imported: of the base's those that still count.
  func pageCheck(
    _ changed: PageCheckResult, _ sizes: BaseSizes, _ changes: Changes
  ) throws(Failure) -> PageCheckResult {
    var result = baseCheck
    let isGone = replacement(sizes, changes)
    try result.removeDamaged { page throws(Failure) in try isGone(page.segment, page.block) }
    result.add(changed)
    return result
  }

  /// Throws if a page is newer than `end`: of the base, if it still counts, or of what was changed; unless
  /// nothing uses it (`UnfinishedRelations`). Gives how many relations have such pages.
  func requireNoPage(
    newerThan end: LogSequenceNumber, _ changed: SegmentTable, _ sizes: BaseSizes,
    _ changes: Changes
  ) throws(Failure) -> Int {
    var newer = changed.segments(newerThan: end).filter { newest in
      !unlogged.contains(ReplayPlan.Relation(newest.segment))
    }
    let isGone = replacement(sizes, changes)
    for newest in base.segments(newerThan: end) {
      if let page = try newerPage(of: newest, than: end, isGone) { newer.append(page) }
    }
    if newer.isEmpty { return 0 }
    guard let pages, let copy else { throw Failure(.bug, "nothing was replayed") }
    let data = try ClusterFiles(place.scratch.data)
    let unfinished = try UnfinishedRelations(
      in: data, copy.version, pages: ReplayedPages(pages: pages, sizes: sizes, data: data)
    ).among(Set(newer.map(\.segment.relation)), newerThan: end)
    for page in newer where !unfinished.contains(page.segment.relation) {
      throw SegmentTable.tooNew(page.block, of: page.segment, page.lsn, end)
    }
    return unfinished.relationCount
  }

  /// A page of a segment of the base that is newer than `end` and still counts; nil if none does.
  private func newerPage(
    of newest: SegmentTable.Newest, than end: LogSequenceNumber,
    _ isGone: (RelationSegment, UInt32) throws(Failure) -> Bool
  ) throws(Failure) -> SegmentTable.Newest? {
    guard try isGone(newest.segment, newest.block) else { return newest }
    // Another block may be newer than the end as well.
    for block in newest.blocks where try !isGone(newest.segment, block) {
      try Interruption.check()
      var page = newest
      page.block = block
      try pages?.lend(block, of: ReplayPlan.Relation(newest.segment)) {
        page.lsn = PageHeader($0).lsn
      }
      if page.lsn > end { return page }
    }
    return nil
  }

  /// Whether a page of the base no longer counts: it was replaced, cut off or dropped.
  private func replacement(
    _ sizes: BaseSizes, _ changes: Changes
  ) -> (RelationSegment, _ block: UInt32) throws(Failure) -> Bool {
    let plan = pages?.plan ?? ReplayPlan(touched: kept.touched)
    var known: BaseSizes?  // made when a page is asked for, as few backups have one
    return { [unlogged] segment, block throws(Failure) in
      let ends = if let known { known } else { try BaseSizes(changes.segments) }
      known = ends
      let relation = ReplayPlan.Relation(segment)
      let kept = plan.keptBlockCount(
        of: relation, baseBlockCount: sizes.blockCount(of: relation),
        blockCount: ends.blockCount(of: relation), isUnlogged: unlogged.contains(relation))
      guard block < kept else { return true }
      return try plan.touches(relation, block)
    }
  }

  /// The cluster as it was recovered.
  func recovered() throws(Failure) -> RecoveredCluster {
    guard let copy, let replay else { throw Failure(.bug, "nothing was replayed") }
    return RecoveredCluster(copy, replay, place)
  }
}
