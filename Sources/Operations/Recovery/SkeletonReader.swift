import Backup
import LayerFormat
import Pipeline
import PostgresFormat
import System

/// Reads what of a recovered skeleton is not in the base: the first stage of the second pass.
///
/// Of main forks these are the blocks that the plan of the replay names; of everything else all of
/// it. Main forks that no record names have no files there, and are the base's. Files are opened from the
/// directory above them, without following links: a server has worked here. A block that is not wanted is
/// not read, so the holes of a large relation cost nothing.
final class SkeletonReader {
  /// What the skeleton holds besides pages of relations.
  var contents: ClusterContents { intake.contents }
  /// Every segment with its length, the base's included.
  private(set) var segments = SegmentTable()

  private let plan: ReplayPlan
  private let base: SegmentTable
  private let sizes: BaseSizes
  private let putBack: PutBack?
  private let source = OpenFileSource()
  private let root: DirectoryHandle
  private var intake: MemberIntake
  /// Relations that were made again from their init fork.
  let unlogged: Set<ReplayPlan.Relation>
  /// Those that no record names, and that have files all the same.
  private var unnamed: Set<ReplayPlan.Relation> = []

  /// Gets blocks of which those that no record touches are the base's, before changed ones are read.
  typealias PutBack = (ReplayPlan.Relation, Range<UInt32>) throws(Failure) -> Void

  /// Begins at the top of the data directory; `unlogged` is found by a look at all names first.
  ///
  /// - Parameter putBack: may put pages there, and note them in the plan's table.
  init(
    _ directory: String, plan: ReplayPlan, base: SegmentTable, _ sizes: BaseSizes,
    putBack: PutBack? = nil
  ) throws(Failure) {
    self.putBack = putBack
    self.plan = plan
    self.base = base
    self.sizes = sizes
    root = try DirectoryHandle(path: directory)
    var unlogged: Set<ReplayPlan.Relation> = []
    var names = try DirectoryWalk(of: root)
    while let found = try names.next() {
      guard var segment = Self.segment(found), segment.fork == .initialisation else { continue }
      segment.fork = .main
      // A cluster that was shut down may have had nothing to replay, and then nothing was made again.
      guard try found.parent.status(of: DirectoryHandle.name(segment.fileName)) != nil else {
        continue
      }
      unlogged.insert(ReplayPlan.Relation(segment))
    }
    self.unlogged = unlogged
    intake = MemberIntake(
      source: source, stripComponents: 0,
      recoveryRefusal: RecoveryAdvice(backup: directory).refusal,
      smallRelationSize: .max)
  }

  /// Goes through the whole directory, and fills the batches of `feed` with what is to be stored.
  func run(_ feed: BatchFeed<PageBatch>, _ progress: RunProgress?) throws(Failure) {
    if let putBack {
      for (relation, blockCount) in sizes.relations
      where !plan.names(relation) && !unlogged.contains(relation) {
        try putBack(relation, 0..<blockCount)
      }
    }
    let filler = PageFiller(source, into: feed)
    var walk = try DirectoryWalk(of: root)
    while let found = try walk.next() {
      try Interruption.check()
      progress?.note { escaped(found.member.name.utf8) }
      source.file = nil
      if found.status.kind == .file {
        source.file = try found.parent.openFile(found.name)
        source.byteCount = found.status.byteCount
      }
      guard let pages = try intake.take(found.member) else { continue }
      guard case .relation(let segment, _) = pages.file else {
        try filler.fill(pages, of: found.member, nil)
        continue
      }
      let blockCount = UInt32(found.member.byteCount / UInt64(PageRuns.pageByteCount))
      segments.add(
        segment, blockCount: blockCount, highestLSN: LogSequenceNumber(rawValue: 0), block: 0,
        isNew: true)
      if segment.fork == .main && segment.databaseID != 0 {
        let relation = ReplayPlan.Relation(segment)
        if !plan.names(relation) { unnamed.insert(relation) }
        try fill(changedBlocksOf: segment, blockCount, feed)
      } else {
        try filler.fill(pages, of: found.member, nil)
      }
    }
    addBase()
  }

  /// Adds the relations that are as they were.
  private func addBase() {
    base.visit { segment, blockCount, _ in
      let relation = ReplayPlan.Relation(segment)
      guard segment.fork == .main, segment.databaseID != 0,
        !plan.names(relation), !unnamed.contains(relation)
      else { return }
      segments.add(
        segment, blockCount: blockCount, highestLSN: LogSequenceNumber(rawValue: 0), block: 0,
        isNew: true)
      intake.addDatabase(segment.databaseID)
    }
  }

  private func fill(
    changedBlocksOf segment: RelationSegment, _ blockCount: UInt32, _ feed: BatchFeed<PageBatch>
  ) throws(Failure) {
    let relation = ReplayPlan.Relation(segment)
    let first = segment.segmentNumber * RelationSegment.blockCount
    let (end, isTooLong) = first.addingReportingOverflow(blockCount)
    guard !isTooLong else { return }  // the last segment is full, which is refused at the end
    let own = first..<end
    if let putBack {
      let kept = plan.keptBlockCount(
        of: relation, baseBlockCount: sizes.blockCount(of: relation), blockCount: own.upperBound,
        isUnlogged: unlogged.contains(relation))
      try putBack(relation, own.clamped(to: 0..<kept))
    }
    try plan.forEachChangedRun(
      of: relation, baseBlockCount: sizes.blockCount(of: relation), in: own,
      isUnlogged: unlogged.contains(relation)
    ) { run throws(Failure) in
      source.offset = UInt64(run.lowerBound - first) * UInt64(PageRuns.pageByteCount)
      var block = run.lowerBound
      while block < run.upperBound {
        let batch = try feed.open()
        batch.pages.beginRun(
          of: .relation(segment, isInImageLayer: false), at: block)
        while block < run.upperBound && !batch.isFull {
          try batch.pages.append { page throws(Failure) in
            let count = try source.read(into: &page)
            precondition(count == page.byteCount, "the source throws if a file became shorter")
          }
          block += 1
        }
      }
    }
  }

  private static func segment(_ found: DirectoryWalk.Found) -> RelationSegment? {
    guard found.member.kind == .file,
      let path = try? MemberPath(Array(found.member.name.utf8).bytes),
      case .relationSegment(let segment) = MemberDecision(path, kind: .file)
    else { return nil }
    return segment
  }
}

/// How many blocks of each main fork the base has, one after another from the first.
struct BaseSizes: Sendable {
  /// In the order of the keys.
  private let forks: [Cluster.Relation]
  /// Segments that do not follow another one which is full.
  private let others: [ReplayPlan.Relation: [(segment: RelationSegment, blockCount: UInt32)]]

  /// Those of a table of everything that was read of the base.
  ///
  /// - Throws: `.damaged` if a segment appears twice.
  init(_ segments: consuming SegmentTable) throws(Failure) {
    let (forks, others) = try segments.mainForks()
    self.forks = forks
    self.others = Dictionary(grouping: others) { ReplayPlan.Relation($0.segment) }
  }

  /// How many relations there are.
  var count: Int { forks.count }

  /// All of them, in the order of the keys.
  var relations: some Sequence<(ReplayPlan.Relation, blockCount: UInt32)> {
    forks.lazy.map { (ReplayPlan.Relation($0.id), blockCount: $0.blockCount) }
  }

  /// The segments of a relation's main fork; the first is always there, as replay would make it.
  func segments(
    of relation: ReplayPlan.Relation
  ) -> [(segment: RelationSegment, blockCount: UInt32)] {
    guard let blockCount = knownBlockCount(of: relation) else { return [] }
    let full = RelationSegment.blockCount
    return stride(from: 0, to: max(blockCount, 1), by: Int(full)).map { start in
      (relation.segment(of: start), min(full, blockCount - start))
    } + (others[relation] ?? [])
  }

  /// 0 for a relation that the base does not have.
  func blockCount(of relation: ReplayPlan.Relation) -> UInt32 {
    knownBlockCount(of: relation) ?? 0
  }

  /// Nil for a relation that the base does not have.
  func knownBlockCount(of relation: ReplayPlan.Relation) -> UInt32? {
    index(of: relation).map { forks[$0].blockCount }
  }

  /// Where a relation is in the order of all; nil if the base does not have it.
  func index(of relation: ReplayPlan.Relation) -> Int? {
    let index = index(of: relation.mainFork)
    return index < forks.count && forks[index].id == relation.mainFork ? index : nil
  }

  /// The index of the first fork that is not before `id`.
  private func index(of id: RelationForkID) -> Int {
    var low = 0
    var high = forks.count
    while low < high {
      let middle = (low + high) / 2
      if forks[middle].id < id { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// The relations of a database with their blocks, in the order of their keys.
  func relations(
    ofDatabase databaseID: UInt32
  ) -> some Sequence<(ReplayPlan.Relation, blockCount: UInt32)> {
    let first = index(
      of: RelationForkID(databaseID: databaseID, relationNumber: 0, fork: .main))
    return forks[first...].lazy.prefix { $0.id.databaseID == databaseID }.map {
      (ReplayPlan.Relation($0.id), blockCount: $0.blockCount)
    }
  }
}

/// The one file that is open, as a member of a backup whose contents are read where one likes.
private final class OpenFileSource: BackupSource {
  var file: InputFile? {
    didSet { offset = 0 }
  }
  /// The length that it had when its name was found.
  var byteCount: UInt64 = 0
  /// Where the next bytes are read.
  var offset: UInt64 = 0

  var inputByteCount: UInt64? { nil }
  var inputBytesRead: UInt64 { 0 }
  var isCompressed: Bool { false }
  var givesPages: Bool { true }
  func nextMember() -> BackupMember? { nil }

  func read(into buffer: inout MutableRawSpan) throws(Failure) -> Int {
    guard let file else { return 0 }
    let count = try file.read(into: &buffer, at: offset)
    let rest = byteCount - min(offset, byteCount)
    guard UInt64(count) >= min(UInt64(buffer.byteCount), rest) else {
      throw DirectoryHandle.changed(file.path)
    }
    offset += UInt64(count)
    return count
  }

  func borrow(unitsOf byteCount: Int, limit: Int) -> (LentBuffer, Range<Int>)? { nil }
}
