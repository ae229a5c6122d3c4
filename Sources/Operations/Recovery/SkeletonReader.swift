import Backup
import LayerFormat
import Pipeline
import PostgresFormat
import System

/// Reads what of a recovered skeleton is not in the base: the first stage of the second pass.
///
/// Of main forks these are the blocks that the plan of the replay names; of everything else all of
/// it. Files are opened from the directory above them, without following links: a server has worked
/// here. A block that is not wanted is not read, so the holes of a large relation cost nothing.
final class SkeletonReader {
  /// What the skeleton holds besides pages of relations.
  var contents: ClusterContents { intake.contents }
  /// Every segment with its length.
  private(set) var segments = SegmentTable()

  private let plan: ReplayPlan
  private let base: BaseSizes
  private let putBack: PutBack?
  private let source = OpenFileSource()
  private var walk: DirectoryWalk
  private var intake: MemberIntake
  /// Relations that were made again from their init fork.
  let unlogged: Set<ReplayPlan.Relation>

  /// Gets blocks of which those that no record touches are the base's, before changed ones are read.
  typealias PutBack = (ReplayPlan.Relation, Range<UInt32>) throws(Failure) -> Void

  /// Begins at the top of the data directory; `unlogged` is found by a look at all names first.
  ///
  /// - Parameter putBack: may put pages there, and note them in the plan's table.
  init(
    _ directory: String, plan: ReplayPlan, base: BaseSizes, putBack: PutBack? = nil
  ) throws(Failure) {
    self.putBack = putBack
    self.plan = plan
    self.base = base
    let root = try DirectoryHandle(path: directory)
    var unlogged: Set<ReplayPlan.Relation> = []
    var names = try DirectoryWalk(of: root)
    while let found = try names.next() {
      guard let segment = Self.segment(found), segment.fork == .initialisation else { continue }
      unlogged.insert(ReplayPlan.Relation(segment))
    }
    self.unlogged = unlogged
    walk = try DirectoryWalk(of: root)
    intake = MemberIntake(
      source: source, stripComponents: 0,
      recoveryRefusal: RecoveryAdvice(backup: directory).refusal,
      smallRelationSize: .max)
  }

  /// Goes through the whole directory, and fills the batches of `feed` with what is to be stored.
  func run(_ feed: BatchFeed<PageBatch>, _ progress: RunProgress?) throws(Failure) {
    let filler = PageFiller(source, into: feed)
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
        try fill(changedBlocksOf: segment, blockCount, feed)
      } else {
        try filler.fill(pages, of: found.member, nil)
      }
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
        of: relation, baseBlockCount: base.blockCount(of: relation), blockCount: own.upperBound,
        isUnlogged: unlogged.contains(relation))
      try putBack(relation, own.clamped(to: 0..<kept))
    }
    try plan.forEachChangedRun(
      of: relation, baseBlockCount: base.blockCount(of: relation), in: own,
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

  /// Those of a table of everything that was read of the base.
  init(_ segments: consuming SegmentTable) {
    forks = segments.blockCountsOfMainForks()
  }

  /// 0 for a relation that the base does not have.
  func blockCount(of relation: ReplayPlan.Relation) -> UInt32 {
    knownBlockCount(of: relation) ?? 0
  }

  /// Nil for a relation that the base does not have.
  func knownBlockCount(of relation: ReplayPlan.Relation) -> UInt32? {
    let id = RelationForkID(
      databaseID: relation.databaseID, relationNumber: relation.relationNumber, fork: .main)
    let index = index(of: id)
    return index < forks.count && forks[index].id == id ? forks[index].blockCount : nil
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
    return forks[first...].lazy.prefix { $0.id.databaseID == databaseID }.map { fork in
      (
        ReplayPlan.Relation(
          databaseID: databaseID, relationNumber: fork.id.relationNumber),
        blockCount: fork.blockCount
      )
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
