import LayerFormat
import PostgresFormat
import System
import Timeline

/// Puts pages of the base into the skeleton, where replay needs them: from the layers into which they
/// were read.
///
/// A file that the server has removed or cut meanwhile stays so. Files are opened from the directory
/// above them, without following links.
final class SkeletonPages: @unchecked Sendable {
  // Invariant: used by one thread at a time: that of the pipeline, or, while that waits for the
  // server, the one that answers it.

  /// What the WAL does, as far as it was read.
  private(set) var plan: ReplayPlan
  private let sizes: BaseSizes
  private let base: DirectoryHandle
  private var pages: WrittenPages
  /// Blocks that are needed before the next segment is replayed.
  private var blocks: [(relation: ReplayPlan.Relation, block: UInt32)] = []
  private var open: (segment: RelationSegment, file: OutputFile?, byteCount: UInt64)?

  /// Blocks are put there in the order of their keys, so many at a time at the most: 1 MiB.
  private static let blockLimit = 1 << 17 / 12

  /// Pages for the data directory at a path, which has the files of `sizes`.
  init(
    _ directory: String, _ sizes: BaseSizes, _ pages: consuming WrittenPages, _ plan: ReplayPlan
  ) throws(Failure) {
    base = try DirectoryHandle(path: directory).openDirectory(DirectoryHandle.name("base"))
    self.sizes = sizes
    self.pages = pages
    self.plan = plan
  }

  /// Takes the next record of the WAL, and what it does besides changing blocks.
  func take(_ record: borrowing WALRecord, _ change: WALChange?) throws(Failure) {
    try plan.add(record, change) { need, plan throws(Failure) in
      switch need {
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
    try close()
  }

  private func putUntouched(
    _ relation: ReplayPlan.Relation, from first: UInt32, blockCount: UInt32,
    _ plan: borrowing ReplayPlan
  ) throws(Failure) {
    guard first < blockCount else { return }
    try plan.forEachUntouchedRun(of: relation, first..<blockCount) { run throws(Failure) in
      for block in run { try put(block, of: relation) }
    }
    try close()
  }

  /// What the base has of a block.
  func page(_ relation: ReplayPlan.Relation, _ block: UInt32) throws(Failure) -> TornCopyCheck.Page
  {
    guard let blockCount = sizes.knownBlockCount(of: relation) else { return .noFile }
    guard block < blockCount else { return .beyond(blockCount) }
    var found = TornCopyCheck.Page.unused
    _ = try pages.lend(Self.key(relation, block)) { page in found = .init(PageHeader(page)) }
    return found
  }

  private static func key(_ relation: ReplayPlan.Relation, _ block: UInt32) -> Key {
    let id = RelationForkID(
      databaseID: relation.databaseID, relationNumber: relation.relationNumber, fork: .main)
    return Key(id, block: block)
  }

  private func put(_ block: UInt32, of relation: ReplayPlan.Relation) throws(Failure) {
    try Interruption.check()
    let segment = RelationSegment(
      databaseID: relation.databaseID, relationNumber: relation.relationNumber, fork: .main,
      segmentNumber: block / RelationSegment.blockCount)
    if open?.segment != segment {
      try close()
      let file = try openFile(segment)
      open = (segment, file, try file?.status().byteCount ?? 0)
    }
    let offset = UInt64(block % RelationSegment.blockCount) * UInt64(PageHeader.pageByteCount)
    guard let open, let file = open.file, offset < open.byteCount else { return }
    let isThere = try pages.lend(Key(segment.relation, block: block)) { page throws(Failure) in
      try file.write(page, at: offset)
      // An import gives a page without an LSN one; replay has to see it as it was.
      if PageHeader(page).lsn == PageHeader.bootstrapLSN {
        try file.write([UInt8](repeating: 0, count: 8).bytes, at: offset)
      }
    }
    guard isThere else {
      throw Failure(.bug, "block \(block) of '\(segment.path)' is in no layer")
    }
  }

  private func openFile(_ segment: RelationSegment) throws(Failure) -> OutputFile? {
    let database = DirectoryHandle.name(String(segment.databaseID))
    do throws(Failure) {
      return try base.openDirectory(database).openFileForChanges(segment.fileName)
    } catch {
      // The server may remove it at any time.
      guard try base.status(of: database) == nil else { throw error }
      return nil
    }
  }

  private func close() throws(Failure) {
    try open?.file?.close()
    open = nil
  }
}
