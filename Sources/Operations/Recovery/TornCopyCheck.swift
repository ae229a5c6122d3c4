import LayerFormat
import PostgresFormat
import System

/// Shows that a copy without a label was made while the cluster changed its files, so that changes are
/// missing which no replay brings.
///
/// Replay of such a copy begins at its last checkpoint. Before that was written, all pages that earlier
/// records had changed were written to their files. So a page that is older than the last such
/// record was copied before the checkpoint, and the control file after it:
///
/// ```
/// WAL    ── change of block 7, end 0/5000128 ──── checkpoint ──── end
/// copy   block 7 with LSN 0/4FFF000: torn
/// ```
///
/// Postgres does not see that: it recovers the copy without an error, and rows are missing.
///
/// A block that is not there at all, or whose file is not, counts only if no later record has cut it off
/// or removed the file, and if the transaction that wrote it was committed: one that was not may have had
/// its files removed before a record says so. What removes a committed relation's file writes its record
/// to disk before (`xact.c`, `RecordTransactionCommit`, which waits if there are files to remove).
///
/// Databases that `pg_database` shows as being dropped or moved do not count (`databasesInRemoval`): what
/// was changed in them is thrown away, and their files go, before a record says so.
///
/// One page that is new enough is an answer: the WAL from before the checkpoint is there, and shows
/// nothing against the copy. It proves no more than that. A copy whose older pages were all changed
/// before the WAL that is there begins passes, as it does where no block is named at all: when
/// the copying began is written nowhere, so no amount of WAL is known to be enough.
///
/// Memory: 28 MiB; of more blocks than 2^18 a part is looked at, chosen by their numbers.
struct TornCopyCheck {
  /// What the copy has of a block.
  enum Page: Equatable {
    /// A page in use, with this LSN.
    case inUse(LogSequenceNumber)
    /// Zeros, or nothing, as the file is shorter.
    case unused
    /// The file that the block would be in is not there.
    case noFile

    /// The page with this header.
    init(_ header: PageHeader) {
      self = header.isInUse ? .inUse(header.lsn) : .unused
    }

    /// A block after the last of so many. If that is the last of a full file, there could be another one.
    static func beyond(_ blockCount: UInt32) -> Self {
      blockCount > 0 && blockCount.isMultiple(of: RelationSegment.blockCount) ? .noFile : .unused
    }
  }

  /// The last record before the checkpoint that changed a block.
  private struct Change {
    var end: LogSequenceNumber
    /// The last that is known; 0 if all records are without one, as those of a relation that others see.
    var transactionID: UInt32
  }

  private static let blockLimit = 1 << 18

  private var changes: [ReplayPlan.Relation: [UInt32: Change]] = [:]
  private var blockCount = 0
  /// Where the first record before the start of replay starts that was added.
  private(set) var start: LogSequenceNumber?
  /// So many low bits of a block's hash are zero if the block is looked at.
  private var hashBits: UInt64 = 0
  /// Their numbers, as if they were blocks'. Those that do not fit count as not committed.
  private var committedTransactions = TouchedBlocks()
  /// 8 MiB.
  private static let committedPieceLimit = 1 << 16

  /// Takes a record, and what it does besides changing blocks.
  ///
  /// - Parameter isEarlier: whether it is before the start of replay, so that its changes are in the
  ///   files of a copy that is not torn.
  mutating func add(
    _ record: borrowing WALRecord, _ change: WALChange?, isEarlier: Bool
  ) throws(Failure) {
    do throws(FormatError) {
      try record.forEachCommittedTransaction { id in
        guard
          committedTransactions.pieceCount < Self.committedPieceLimit
            || committedTransactions.piece(id / TouchedBlocks.pieceBlockCount) != nil
        else { return }
        _ = committedTransactions.note(id)
      }
    } catch {
      throw Failure(error.code ?? .walDamaged, error.message, hint: WriteAheadLogCheck.hint)
    }
    if isEarlier, start == nil { start = record.start }
    if isEarlier, record.setsPageLSNs {
      for index in record.references.indices {
        let reference = record.references[index]
        guard reference.fork == .main, reference.databaseID != 0,
          reference.tablespaceID == Tablespace.defaultID
        else { continue }
        add(
          ReplayPlan.Relation(
            databaseID: reference.databaseID, relationNumber: reference.relationNumber),
          reference.block, Change(end: record.end, transactionID: record.transactionID))
      }
    }
    switch change {
    case .truncation(let cut) where cut.forks.contains(.main):
      let relation = ReplayPlan.Relation(
        databaseID: cut.databaseID, relationNumber: cut.relationNumber)
      remove(relation) { $0 >= cut.block }
    case .relationRemoval(let relations):
      for removed in relations {
        remove(ReplayPlan.Relation(removed)) { _ in true }
      }
    case .databaseRemoval(let id, _): remove(databases: [id])
    case .databaseCopy(let copy): remove(databases: [copy.databaseID])
    default: break
    }
  }

  private mutating func add(_ relation: ReplayPlan.Relation, _ block: UInt32, _ change: Change) {
    guard isChosen(relation, block) else { return }
    let old = changes[relation, default: [:]].updateValue(change, forKey: block)
    guard old == nil else {
      // What tidies up a page without a transaction says nothing of the one that made it.
      if change.transactionID == 0, let old {
        changes[relation]?[block]?.transactionID = old.transactionID
      }
      return
    }
    blockCount += 1
    while blockCount > Self.blockLimit {
      hashBits += 1
      for relation in Array(changes.keys) {
        let hashBits = hashBits
        remove(relation) { !Self.isChosen(relation, $0, hashBits) }
      }
    }
  }

  private func isChosen(_ relation: ReplayPlan.Relation, _ block: UInt32) -> Bool {
    Self.isChosen(relation, block, hashBits)
  }

  private static func isChosen(
    _ relation: ReplayPlan.Relation, _ block: UInt32, _ hashBits: UInt64
  ) -> Bool {
    guard hashBits > 0 else { return true }
    let number = UInt64(relation.relationNumber) << 32 | UInt64(block)
    return (number &* 0x9E37_79B9_7F4A_7C15) >> (64 - hashBits) == 0
  }

  private mutating func remove(_ relation: ReplayPlan.Relation, _ isGone: (UInt32) -> Bool) {
    guard let blocks = changes[relation] else { return }
    let rest = blocks.filter { !isGone($0.key) }
    blockCount -= blocks.count - rest.count
    changes[relation] = rest.isEmpty ? nil : rest
  }

  /// The databases in which something was changed.
  var databases: Set<UInt32> { Set(changes.keys.lazy.map(\.databaseID)) }

  /// Leaves out what was changed in some databases.
  mutating func remove(databases: Set<UInt32>) {
    if databases.isEmpty { return }
    for relation in Array(changes.keys) where databases.contains(relation.databaseID) {
      remove(relation) { _ in true }
    }
  }

  /// Compares all blocks with those of the copy, in the order of their keys, and gives how many show
  /// nothing against it.
  ///
  /// - Parameters:
  ///   - knowsLaterRecords: whether every record from the start of replay on was added that the files
  ///     may already show.
  ///   - page: what the copy has of a block.
  /// - Throws: `.damaged` for the first block that shows that the copy is torn.
  func requireOneMoment(
    knowsLaterRecords: Bool, _ page: (ReplayPlan.Relation, UInt32) throws(Failure) -> Page
  ) throws(Failure) -> Int {
    var count = 0
    let relations = changes.keys.sorted {
      ($0.databaseID, $0.relationNumber) < ($1.databaseID, $1.relationNumber)
    }
    for relation in relations {
      for (block, change) in (changes[relation] ?? [:]).sorted(by: { $0.key < $1.key }) {
        try Interruption.check()
        let page = try page(relation, block)
        switch page {
        case .inUse(let lsn):
          guard lsn >= change.end else { throw Self.torn(relation, block, change, page) }
          count += 1
        case .unused, .noFile:
          guard knowsLaterRecords, isCommitted(change) else { continue }
          throw Self.torn(relation, block, change, page)
        }
      }
    }
    return count
  }

  private func isCommitted(_ change: Change) -> Bool {
    change.transactionID == 0 || committedTransactions.contains(change.transactionID)
  }

  private static func torn(
    _ relation: ReplayPlan.Relation, _ block: UInt32, _ change: Change, _ page: Page
  ) -> Failure {
    let segment = relation.segment(of: block)
    let found =
      switch page {
      case .inUse(let lsn): "has LSN \(lsn)"
      case .unused: "is not in use"
      case .noFile: "is missing, with its file"
      }
    return Failure(
      .tornCopy,
      "the copy is not of one moment: block \(block) of '\(segment.path)' \(found), but before the "
        + "copy's last checkpoint it was written with LSN \(change.end)",
      hint: "Take a backup with pg_basebackup, or a snapshot of the whole directory at one moment: "
        + "of this copy Postgres would recover a cluster in which changes are missing.")
  }
}

/// The pages of a full copy, before a server has worked on it.
final class CopiedPages {
  private let directory: String
  private var open: (segment: RelationSegment, file: InputFile, byteCount: UInt64)?

  /// Those of the data directory at a path.
  init(_ directory: String) { self.directory = directory }

  /// What the copy has of a block.
  func page(_ relation: ReplayPlan.Relation, _ block: UInt32) throws(Failure) -> TornCopyCheck.Page
  {
    let segment = relation.segment(of: block)
    if open?.segment != segment {
      let path = directory + "/" + segment.path
      guard try SystemCalls.status(at: path) != nil else { return .noFile }
      let (file, byteCount) = try SystemCalls.openRegularFile(path)
      open = (segment, InputFile(file), byteCount)
    }
    guard let open else { return .noFile }
    let pageByteCount = UInt64(PageHeader.pageByteCount)
    let offset = UInt64(block % RelationSegment.blockCount) * pageByteCount
    guard offset + pageByteCount <= open.byteCount else { return .unused }
    var header = [UInt8](repeating: 0, count: 24)
    let count = try open.file.read(into: &header, at: offset)
    return count == header.count ? .init(PageHeader(header.bytes)) : .unused
  }
}

extension WriteAheadLogCheck {
  /// What the WAL before the start of replay has changed; nil if none of it is there.
  ///
  /// A server keeps the segment in which replay begins, and uses older ones again, under the names of
  /// later ones: until it writes to them, they are still what they were.
  func earlierChanges() throws(Failure) -> TornCopyCheck? {
    let (start, first) = try start()
    let run = try segments(upTo: first)
    // What is old may be of anything; the segment itself is what replay reads.
    for segments in [run, run.suffix(1)] where !segments.isEmpty {
      if let changes = try changes(in: segments, before: start) { return changes }
    }
    return nil
  }

  /// The changes before a record, if the segments lead to it.
  private func changes(
    in segments: ArraySlice<(name: WALSegmentName, file: String)>, before start: LogSequenceNumber
  ) throws(Failure) -> TornCopyCheck? {
    let input = InputProgress()
    progress?.begin(
      .checkingWAL, reading: input,
      byteCount: UInt64(segments.count) * UInt64(control.walSegmentSize))
    var changes = TornCopyCheck()
    var isReached = false
    var decoder = try makeDecoder(from: .firstRecord)
    var buffer = [UInt8](repeating: 0, count: 1 << 20)
    for (name, file) in segments {
      decoder.begin(name)
      progress?.note { name.description }
      try read(file, limit: UInt64(name.segmentSize), into: &buffer) { pages throws(Failure) in
        try decoder.decode(pages) { record throws(Failure) in
          if record.start < start {
            try changes.add(record, Self.anyChange(of: record), isEarlier: true)
          } else if record.start == start {
            isReached = true
          }
        }
        return !decoder.hasEnded && !isReached
      }
      input.addBytesRead(Int(name.segmentSize))
    }
    return isReached ? changes : nil
  }

  /// The segments that lead to this one without a gap, itself last, each with its file's name; none if
  /// it is not there.
  private func segments(
    upTo last: WALSegmentName
  ) throws(Failure) -> ArraySlice<(name: WALSegmentName, file: String)> {
    var files: [WALSegmentName: String] = [:]
    for text in try SystemCalls.names(in: directory) {
      guard let name = WALSegmentName(text, segmentSize: control.walSegmentSize),
        name.description == text
      else { continue }
      if name.number <= last.number {
        files[name] = text
      } else if let old = try firstPage(of: text), old.number < last.number, files[old] == nil {
        files[old] = text
      }
    }
    let history = try history(of: last.timelineID)
    guard let oldest = files.keys.min(by: { $0.number < $1.number }) else { return [] }
    let path = Self.path(from: oldest, along: history, among: Array(files.keys))
    var run: [(name: WALSegmentName, file: String)] = []
    for name in path.reversed() where name.number <= last.number {
      guard name.number + UInt64(run.count) == last.number, let file = files[name] else { break }
      run.append((name, file))
    }
    return run.reversed()[...]
  }

  /// The segment that a file held when its first page was written; nil if that does not show.
  private func firstPage(of file: String) throws(Failure) -> WALSegmentName? {
    var found: WALSegmentName?
    var buffer = [UInt8](repeating: 0, count: Int(WALLayout.pageSize))
    try read(file, limit: WALLayout.pageSize, into: &buffer) { page throws(Failure) in
      found = WALSegmentName(
        firstPage: page, of: control.version, segmentSize: control.walSegmentSize)
      return false
    }
    return found
  }
}
