import LayerFormat
import PostgresFormat
import System
import Timeline

/// Puts pages of the base into the skeleton, where replay needs them: from where they are read back.
final class SkeletonPages: @unchecked Sendable {
  // Invariant: used by one thread at a time: that of the pipeline, or, while that waits for the
  // server, the one that answers it.

  /// What the WAL does, as far as it was read.
  private(set) var plan: ReplayPlan
  private let sizes: BaseSizes
  private let files: SkeletonFiles
  private let pages: any BasePages
  private let kept: KeptPages
  /// Blocks that are needed before the next segment is replayed.
  private var blocks: [(relation: ReplayPlan.Relation, block: UInt32)] = []

  /// Blocks are put there in the order of their keys, so many at a time at the most: 128 KiB.
  private static let blockLimit = 1 << 17 / 12

  /// Pages for the files of a skeleton, whose base has the relations of `sizes`.
  init(
    _ files: SkeletonFiles, _ sizes: BaseSizes, _ pages: any BasePages, _ kept: KeptPages,
    _ plan: ReplayPlan
  ) throws(Failure) {
    self.files = files
    self.kept = kept
    self.sizes = sizes
    self.pages = pages
    self.plan = plan
    // A relation has all of its files, or none.
    try files.forEachRelation { relation throws(Failure) in try makeFiles(of: relation) }
  }

  private func makeFiles(of relation: ReplayPlan.Relation) throws(Failure) {
    if plan.name(relation) { try files.make(relation, sizes.segments(of: relation)) }
  }

  /// Takes the next record of the WAL, and what it does besides changing blocks.
  func take(_ record: borrowing WALRecord, _ change: WALChange?) throws(Failure) {
    try plan.add(record, change) { need, plan throws(Failure) in
      switch need {
      case .files(let relation):
        if try !files.hasInitFork(relation) {
          try files.make(relation, sizes.segments(of: relation))
        }
      case .block(let relation, let block):
        blocks.append((relation, block))
        if blocks.count == Self.blockLimit { try flush() }
      case .rest(let relation, let first):
        try putUntouched(relation, from: first, blockCount: sizes.blockCount(of: relation), plan)
      case .database(let id):
        for (relation, blockCount) in sizes.relations(ofDatabase: id) {
          try putUntouched(relation, from: 0, blockCount: blockCount, plan)
        }
      }
    }
  }

  /// Puts there what is needed for the records so far.
  func flush() throws(Failure) {
    blocks.sort {
      ($0.relation.databaseID, $0.relation.relationNumber, $0.block)
        < ($1.relation.databaseID, $1.relation.relationNumber, $1.block)
    }
    for (relation, block) in blocks where block < sizes.blockCount(of: relation) {
      try put(block, of: relation)
    }
    blocks.removeAll(keepingCapacity: true)
    try files.close()
  }

  private func putUntouched(
    _ relation: ReplayPlan.Relation, from first: UInt32, blockCount: UInt32,
    _ plan: borrowing ReplayPlan
  ) throws(Failure) {
    guard first < blockCount else { return }
    try plan.forEachUntouchedRun(of: relation, first..<blockCount) { run throws(Failure) in
      for block in run { try put(block, of: relation) }
    }
    try files.close()
  }

  /// Puts blocks of the base there after replay, which has not touched them or cut them off, so that they
  /// are read from there as well.
  func putBack(_ blocks: Range<UInt32>, of relation: ReplayPlan.Relation) throws(Failure) {
    try makeFiles(of: relation)
    for block in blocks where try kept.touched.note(relation, block) {
      try put(block, of: relation)
    }
    try files.close()
  }

  /// What the base has of a block.
  func page(_ relation: ReplayPlan.Relation, _ block: UInt32) throws(Failure) -> TornCopyCheck.Page
  {
    guard let blockCount = sizes.knownBlockCount(of: relation) else { return .noFile }
    guard block < blockCount else { return .beyond(blockCount) }
    if let page = try kept.page(relation, block) { return page }
    var found = TornCopyCheck.Page.unused
    _ = try pages.lend(Self.key(relation, block)) { page in found = .init(PageHeader(page)) }
    return found
  }

  private static func key(_ relation: ReplayPlan.Relation, _ block: UInt32) -> Key {
    Key(relation.mainFork, block: block)
  }

  private func put(_ block: UInt32, of relation: ReplayPlan.Relation) throws(Failure) {
    try Interruption.check()
    guard let (file, offset) = try files.place(of: block, relation) else { return }
    try lend(block, of: relation) { page throws(Failure) in
      try files.write(page, to: file, at: offset)
    }
  }

  /// Lends a block that the base has to `body`.
  func lend(
    _ block: UInt32, of relation: ReplayPlan.Relation, to body: (RawSpan) throws(Failure) -> Void
  ) throws(Failure) {
    guard try pages.lend(Self.key(relation, block), to: body) else {
      throw Failure(.bug, "block \(block) of '\(relation.segment(of: block).path)' is in no layer")
    }
  }
}

/// The pages of relations after replay: in a skeleton, or in the base where replay has not been.
struct ReplayedPages: RelationPages {
  let pages: SkeletonPages
  let sizes: BaseSizes
  let data: ClusterFiles

  /// How many blocks of a relation are in the base alone; nil if it has files in the skeleton, or is new.
  private func untouchedBlockCount(_ relation: ReplayPlan.Relation) -> UInt32? {
    pages.plan.names(relation) ? nil : sizes.knownBlockCount(of: relation)
  }

  func hasBlocks(_ relation: ReplayPlan.Relation) throws(Failure) -> Bool? {
    if let blockCount = untouchedBlockCount(relation) { return blockCount > 0 }
    return try data.hasBlocks(relation)
  }

  func readPages(
    of relation: ReplayPlan.Relation, while body: (RawSpan) throws(Failure) -> Bool
  ) throws(Failure) {
    if let blockCount = untouchedBlockCount(relation) {
      var goesOn = true
      for block in 0..<blockCount where goesOn {
        try Interruption.check()
        try pages.lend(block, of: relation) { page throws(Failure) in goesOn = try body(page) }
      }
      return
    }
    let plan = pages.plan
    let kept = plan.keptBlockCount(
      of: relation, baseBlockCount: sizes.blockCount(of: relation), blockCount: .max,
      isUnlogged: false)
    try data.readPages(
      of: relation,
      replace: { block, page throws(Failure) in
        guard block < kept, try !plan.touches(relation, block) else { return }
        try pages.lend(block, of: relation) { page = $0.array }
      }, while: body)
  }
}
