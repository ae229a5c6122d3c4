import LayerFormat
import PostgresFormat
import System

/// What is remembered of every relation segment of a backup: 28 bytes each.
///
/// Segments come in any order, so whether a relation is whole shows at the end: `relations`
/// sorts the table and judges it. This table is one of the few things in memory that grow with
/// the number of files, so it grows without moving what it has, in pieces that are sorted when they
/// are full.
package struct SegmentTable: Sendable {
  /// What is remembered of one segment: 28 bytes, packed.
  package struct Entry {
    // Halves, for an entry with a number of 8 bytes would take 32.
    private var highestLSNHalves: (UInt32, UInt32) = (0, 0)
    private var packedHalves: (UInt32, UInt32) = (0, 0)
    var databaseID: UInt32
    var relationNumber: UInt32
    /// The CRC-32C of all pages; 0 if it was not made.
    private(set) var checksum: UInt32 = 0

    var highestLSN: LogSequenceNumber {
      get { LogSequenceNumber(rawValue: Self.whole(highestLSNHalves)) }
      set { highestLSNHalves = Self.halves(newValue.rawValue) }
    }

    /// From the top: the fork (2 bits), the segment's number (16), its blocks (20), and, counted
    /// within the segment, the block with the highest LSN (20).
    private var packed: UInt64 {
      get { Self.whole(packedHalves) }
      set { packedHalves = Self.halves(newValue) }
    }

    private static func whole(_ halves: (UInt32, UInt32)) -> UInt64 {
      UInt64(halves.0) << 32 | UInt64(halves.1)
    }

    private static func halves(_ whole: UInt64) -> (UInt32, UInt32) {
      (UInt32(whole >> 32), UInt32(truncatingIfNeeded: whole))
    }

    private static let segmentShift: UInt64 = 40
    private static let blockCountShift: UInt64 = 20
    private static let blockMask: UInt64 = 0xF_FFFF

    init(_ segment: RelationSegment) {
      databaseID = segment.databaseID
      relationNumber = segment.relationNumber
      packed =
        UInt64(segment.fork.rawValue) << 56 | UInt64(segment.segmentNumber) << Self.segmentShift
    }

    var segmentNumber: UInt32 { UInt32(packed >> Self.segmentShift & 0xFFFF) }
    var blockCount: UInt32 { UInt32(packed >> Self.blockCountShift & Self.blockMask) }
    var highestLSNBlock: UInt32 {
      segmentNumber * RelationSegment.blockCount + UInt32(packed & Self.blockMask)
    }

    var fork: RelationFork {
      guard let fork = RelationFork(rawValue: UInt8(packed >> 56)) else {
        preconditionFailure("an entry has the fork of its segment")
      }
      return fork
    }

    var segment: RelationSegment {
      RelationSegment(
        databaseID: databaseID, relationNumber: relationNumber, fork: fork,
        segmentNumber: segmentNumber)
    }

    /// Adds blocks after the existing ones; a file of too many is refused before this.
    mutating func add(
      blockCount: UInt32, highestLSN: LogSequenceNumber, block: UInt32, checksum: UInt32
    ) {
      precondition(self.blockCount + blockCount <= RelationSegment.blockCount)
      self.checksum = CRC32C.joined(self.checksum, checksum, blocksInSecond: blockCount)
      packed += UInt64(blockCount) << Self.blockCountShift
      if highestLSN > self.highestLSN {
        self.highestLSN = highestLSN
        packed = packed & ~Self.blockMask | UInt64(block % RelationSegment.blockCount)
      }
    }

    /// The order of the keys: the shared relations, of database 0, come last.
    static func < (left: Entry, right: Entry) -> Bool {
      (left.databaseID &- 1, left.relationNumber, left.packed)
        < (right.databaseID &- 1, right.relationNumber, right.packed)
    }
  }

  private static let pieceCount = 1 << 16

  /// The full pieces, sorted, and the one that grows.
  private var pieces: [[Entry]] = [[]]
  var isAtFileStart = true

  /// The segment that was added last.
  var last: RelationSegment? { pieces.last?.last?.segment }

  /// How many segments were added.
  package private(set) var count = 0

  /// An empty table.
  package init() {}

  /// The most memory in bytes that the table takes: when it has been sorted and the relations are
  /// listed.
  package var memoryByteCount: Int {
    let orderByteCount = MemoryLayout<UInt32>.stride * 3 / 2
    return count
      * (MemoryLayout<Entry>.stride + orderByteCount + MemoryLayout<Cluster.Relation>.stride)
  }

  /// Adds a segment's run of pages; runs of one segment follow each other.
  package mutating func add(
    _ segment: RelationSegment, blockCount: UInt32, highestLSN: LogSequenceNumber, block: UInt32,
    checksum: UInt32 = 0, isNew: Bool
  ) {
    var last = pieces.count - 1
    if isNew {
      if pieces[last].count == Self.pieceCount {
        pieces[last].sort(by: <)
        pieces.append([])
        last += 1
      }
      pieces[last].append(Entry(segment))
      count += 1
    }
    let index = pieces[last].count - 1
    pieces[last][index].add(
      blockCount: blockCount, highestLSN: highestLSN, block: block, checksum: checksum)
  }

  /// Gives every segment to `body`, in no order, with its CRC-32C.
  package func visit<Failure: Error>(
    _ body: (RelationSegment, _ blockCount: UInt32, _ checksum: UInt32) throws(Failure) -> Void
  ) throws(Failure) {
    for piece in pieces {
      for entry in piece { try body(entry.segment, entry.blockCount, entry.checksum) }
    }
  }

  /// Empties the table and gives every fork with its size, in the order of the keys.
  ///
  /// Throws `.damaged` if a segment appears twice or is missing, if one follows another that
  /// is not full, and if a page is newer than `end`: nothing after the backup's end is in its
  /// write-ahead log. Unlogged relations are exempt from the last, as their pages have counters, and
  /// `unfinished` forks, which nothing uses.
  /// With a `report` that keeps these, the check goes on.
  package mutating func relations(
    upTo end: LogSequenceNumber, unfinished: Set<RelationForkID> = [],
    report: Failure.Report = Failure.first
  ) throws(Failure) -> [Cluster.Relation] {
    pieces[pieces.count - 1].sort(by: <)
    // The pieces are runs in order for the sort, which merges them.
    let pieces = exchange(&pieces, with: [[]])
    func entry(_ index: UInt32) -> Entry {
      pieces[Int(index) / Self.pieceCount][Int(index) % Self.pieceCount]
    }
    var order = Array(0..<UInt32(pieces.reduce(0) { $0 + $1.count }))
    order.sort { entry($0) < entry($1) }

    var relations: [Cluster.Relation] = []
    relations.reserveCapacity(order.count)
    var segments: [Entry] = []  // of one relation
    for index in order {
      let next = entry(index)
      if let last = segments.last,
        (last.databaseID, last.relationNumber) != (next.databaseID, next.relationNumber)
      {
        try Self.appendForks(of: segments, upTo: end, unfinished, to: &relations, report)
        segments.removeAll(keepingCapacity: true)
      }
      segments.append(next)
    }
    if !segments.isEmpty {
      try Self.appendForks(of: segments, upTo: end, unfinished, to: &relations, report)
    }
    return relations
  }

  /// The main forks of all databases and how many blocks of each are there one after another, in the
  /// order of the keys, and the other segments of such forks.
  ///
  /// For a backup of a running cluster: its files are of different moments, so a segment may follow
  /// one that is not full. What is in it then was written after the backup had begun.
  ///
  /// - Throws: `.damaged` if a segment appears twice.
  package consuming func mainForks() throws(Failure) -> (
    forks: [Cluster.Relation], others: [(segment: RelationSegment, blockCount: UInt32)]
  ) {
    var forks: [Cluster.Relation] = []
    var others: [(segment: RelationSegment, blockCount: UInt32)] = []
    var last: RelationSegment?
    for entry in pieces.joined().sorted(by: <) where entry.fork == .main && entry.databaseID != 0 {
      let id = RelationForkID(
        databaseID: entry.databaseID, relationNumber: entry.relationNumber, fork: .main)
      if entry.segment == last { throw Self.duplicate(entry.segment) }
      last = entry.segment
      if forks.last?.id != id { forks.append(Cluster.Relation(id: id, blockCount: 0)) }
      let start = forks[forks.count - 1].blockCount
      if entry.segmentNumber == 0
        || entry.blockCount > 0 && start == entry.segmentNumber * RelationSegment.blockCount
      {
        forks[forks.count - 1].blockCount += entry.blockCount
      } else {
        others.append((entry.segment, entry.blockCount))
      }
    }
    return (forks, others)
  }

  /// Judges the segments of all forks of one relation.
  private static func appendForks(
    of segments: [Entry], upTo end: LogSequenceNumber, _ unfinished: Set<RelationForkID>,
    to relations: inout [Cluster.Relation], _ report: Failure.Report
  ) throws(Failure) {
    let isUnlogged = segments.contains { $0.fork == .initialisation }
    var isOpen = true  // whether the fork's last segment was full, so that another may follow
    for (index, entry) in segments.enumerated() {
      if index == 0 || segments[index - 1].fork != entry.fork {
        if entry.segmentNumber != 0 { try report(missing(before: entry.segment, number: 0)) }
        relations.append(Cluster.Relation(id: entry.segment.relation, blockCount: entry.blockCount))
      } else {
        let previous = segments[index - 1]
        if entry.segmentNumber == previous.segmentNumber {
          try report(duplicate(entry.segment))
          continue
        }
        if entry.segmentNumber != previous.segmentNumber + 1 {
          try report(missing(before: entry.segment, number: previous.segmentNumber + 1))
        } else if !isOpen && entry.blockCount > 0 {
          try report(
            Failure(
              .fileTruncated,
              "segment '\(previous.segment.path)' is not full, but is followed by "
                + "'\(entry.segment.path)'"))
        }
        relations[relations.count - 1].blockCount &+= entry.blockCount
      }
      isOpen = entry.blockCount == RelationSegment.blockCount
      if entry.segmentNumber >= RelationSegment.maximumSegmentNumber && isOpen {
        try report(
          Failure(
            .fileTooLarge,
            "file '\(entry.segment.path)' makes its relation longer than 2^32 - 1 blocks"))
      }
      if entry.highestLSN > end && !isUnlogged && !unfinished.contains(entry.segment.relation) {
        try report(tooNew(entry.highestLSNBlock, of: entry.segment, entry.highestLSN, end))
      }
    }
  }

  /// The forks that have a page which is newer than `end`, but those of unlogged relations.
  package func forks(newerThan end: LogSequenceNumber) -> Set<RelationForkID> {
    let forks = Set(segments(newerThan: end).map(\.segment.relation))
    if forks.isEmpty { return [] }
    let unlogged = Set(
      pieces.joined().lazy.filter { $0.fork == .initialisation }.map(\.segment.relation.mainFork))
    return forks.filter { !unlogged.contains($0.mainFork) }
  }

  /// A segment with its newest page.
  package struct Newest: Sendable {
    package var segment: RelationSegment
    package var blocks: Range<UInt32>
    package var lsn: LogSequenceNumber
    package var block: UInt32
  }

  /// The segments that have a page which is newer than `end`.
  package func segments(newerThan end: LogSequenceNumber) -> [Newest] {
    pieces.joined().lazy.filter { $0.highestLSN > end }.map { entry in
      let first = entry.segmentNumber * RelationSegment.blockCount
      return Newest(
        segment: entry.segment, blocks: first..<first + entry.blockCount, lsn: entry.highestLSN,
        block: entry.highestLSNBlock)
    }
  }

  /// The refusal of a block of a segment that is newer than `end`.
  package static func tooNew(
    _ block: UInt32, of segment: RelationSegment, _ lsn: LogSequenceNumber,
    _ end: LogSequenceNumber
  ) -> Failure {
    Failure(
      .pageTooNew,
      "block \(block) of '\(segment.path)' has LSN \(lsn), which is after the end of the backup, \(end)",
      hint:
        "The files are probably from different times. Take a backup with pg_basebackup, of the stopped "
        + "cluster, or a snapshot of the whole directory at one moment. Of a cluster that was stopped soon "
        + "after a crash, give the directory and not a tar of it, or let it write WAL beyond that LSN before "
        + "it is stopped.")
  }

  /// The error of a segment that appears twice.
  package static func duplicate(_ segment: RelationSegment) -> Failure {
    .duplicate(segment.path)
  }

  private static func missing(before segment: RelationSegment, number: UInt32) -> Failure {
    var expected = segment
    expected.segmentNumber = number
    return Failure(
      .missingFile, "file '\(expected.path)' is missing, but '\(segment.path)' exists")
  }
}
