import LayerFormat
import PostgresFormat

/// What is remembered of every relation segment of a backup: 32 bytes each.
///
/// Segments come in any order, so whether a relation is whole shows at the end: `relations`
/// sorts the table and judges it. This table is the one thing in memory that grows with the
/// number of files.
struct SegmentTable: Sendable {
  private struct Entry {
    var databaseID: UInt32
    var relationNumber: UInt32
    var segmentNumber: UInt32
    var blockCount: UInt32
    var highestLSN: LogSequenceNumber
    var highestLSNBlock: UInt32
    var fork: RelationFork

    var segment: RelationSegment {
      RelationSegment(
        databaseID: databaseID, relationNumber: relationNumber, fork: fork,
        segmentNumber: segmentNumber)
    }
  }

  /// A relation fork that is whole, with its size.
  struct Relation: Sendable {
    var id: RelationForkID
    var blockCount: UInt32
    /// Whether the relation has an init fork.
    var isUnlogged: Bool
  }

  private var entries: [Entry] = []
  private var isAtFileStart = true

  var count: Int { entries.count }

  /// The memory that the table takes, in bytes.
  var memoryByteCount: Int { entries.capacity * MemoryLayout<Entry>.stride }

  /// Adds the next run of pages of the backup, whose pages have been examined.
  mutating func add(_ run: PageBatch.Run) {
    if case .relation(let segment, _) = run.file {
      add(
        segment, blockCount: UInt32(run.pageCount), highestLSN: run.highestLSN,
        block: run.highestLSNBlock, isNew: isAtFileStart)
    }
    isAtFileStart = run.endsFile
  }

  /// Adds a segment's run of pages; runs of one segment follow each other.
  mutating func add(
    _ segment: RelationSegment, blockCount: UInt32, highestLSN: LogSequenceNumber, block: UInt32,
    isNew: Bool
  ) {
    if isNew {
      entries.append(
        Entry(
          databaseID: segment.databaseID, relationNumber: segment.relationNumber,
          segmentNumber: segment.segmentNumber, blockCount: blockCount, highestLSN: highestLSN,
          highestLSNBlock: block, fork: segment.fork))
      return
    }
    let last = entries.count - 1
    entries[last].blockCount += blockCount
    if highestLSN > entries[last].highestLSN {
      entries[last].highestLSN = highestLSN
      entries[last].highestLSNBlock = block
    }
  }

  /// Sorts the table and gives every fork with its size, in the order of the keys.
  ///
  /// Throws `.damaged` where a segment stands twice or is missing, where one follows another that
  /// is not full, and where a page is newer than `end`: nothing after the backup's end is in its
  /// write-ahead log. Unlogged relations are exempt from the last, as their pages bear counters.
  mutating func relations(
    upTo end: LogSequenceNumber
  ) throws(ImportError) -> [Relation] {
    entries.sort { left, right in
      if left.segment.relation != right.segment.relation {
        return left.segment.relation < right.segment.relation
      }
      return left.segmentNumber < right.segmentNumber
    }
    var relations: [Relation] = []
    var start = 0
    while start < entries.count {
      let first = entries[start]
      var index = start
      while index < entries.count, entries[index].databaseID == first.databaseID,
        entries[index].relationNumber == first.relationNumber
      { index += 1 }
      try appendForks(of: entries[start..<index], upTo: end, to: &relations)
      start = index
    }
    return relations
  }

  /// Judges the segments of all forks of one relation.
  private func appendForks(
    of segments: ArraySlice<Entry>, upTo end: LogSequenceNumber, to relations: inout [Relation]
  ) throws(ImportError) {
    let isUnlogged = segments.contains { $0.fork == .initialisation }
    var isOpen = true  // whether the fork's last segment was full, so that another may follow
    for (index, entry) in zip(segments.indices, segments) {
      if index == segments.startIndex || segments[index - 1].fork != entry.fork {
        guard entry.segmentNumber == 0 else { throw missing(before: entry.segment, number: 0) }
        relations.append(
          Relation(
            id: entry.segment.relation, blockCount: entry.blockCount, isUnlogged: isUnlogged))
      } else {
        let previous = segments[index - 1]
        guard entry.segmentNumber != previous.segmentNumber else {
          throw Self.duplicate(entry.segment)
        }
        guard entry.segmentNumber == previous.segmentNumber + 1 else {
          throw missing(before: entry.segment, number: previous.segmentNumber + 1)
        }
        guard isOpen || entry.blockCount == 0 else {
          throw ImportError(
            .damaged,
            "file '\(entry.segment.path)' follows segment '\(previous.segment.path)', "
              + "which is not full")
        }
        relations[relations.count - 1].blockCount &+= entry.blockCount
      }
      isOpen = entry.blockCount == RelationSegment.blockCount
      guard entry.segmentNumber < RelationSegment.maximumSegmentNumber || !isOpen else {
        throw ImportError(
          .damaged, "file '\(entry.segment.path)' makes its relation longer than 2^32 - 1 blocks")
      }
      guard entry.highestLSN <= end || isUnlogged else {
        throw ImportError(
          .damaged,
          "block \(entry.highestLSNBlock) of '\(entry.segment.path)' bears LSN "
            + "\(entry.highestLSN), which is above the backup's end \(end)",
          hint: "The files do not belong to one moment. Make a backup of the stopped cluster.")
      }
    }
  }

  /// The error of a segment that stands twice.
  static func duplicate(_ segment: RelationSegment) -> ImportError {
    ImportError(.damaged, "file '\(segment.path)' stands twice in the backup")
  }

  private func missing(before segment: RelationSegment, number: UInt32) -> ImportError {
    var expected = segment
    expected.segmentNumber = number
    return ImportError(
      .damaged, "file '\(expected.path)' is missing, as '\(segment.path)' is there")
  }
}
