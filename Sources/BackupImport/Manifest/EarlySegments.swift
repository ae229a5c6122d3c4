import PostgresFormat

/// Relation segments that came before any manifest, with their CRC-32C: 20 bytes each.
///
/// Most backups have no manifest at all, but one may come last. So that a cluster of a million
/// relations pays little for that, they are kept short until then, in pieces that do not move.
struct EarlySegments {
  private struct Entry {
    var databaseID: UInt32
    var relationNumber: UInt32
    var segmentNumber: UInt16
    var fork: RelationFork
    var blockCount: UInt32
    var checksum: UInt32
  }

  private static let pieceCount = 1 << 16

  private var pieces: [[Entry]] = [[]]

  /// Adds a segment of whole pages; false for what fits no segment.
  mutating func add(_ segment: RelationSegment, byteCount: UInt64, checksum: UInt32) -> Bool {
    let pageByteCount = UInt64(PageHeader.pageByteCount)
    guard byteCount.isMultiple(of: pageByteCount),
      let blockCount = UInt32(exactly: byteCount / pageByteCount),
      let segmentNumber = UInt16(exactly: segment.segmentNumber)
    else { return false }
    if pieces[pieces.count - 1].count == Self.pieceCount {
      pieces.append([])
      pieces[pieces.count - 1].reserveCapacity(Self.pieceCount)
    }
    pieces[pieces.count - 1].append(
      Entry(
        databaseID: segment.databaseID, relationNumber: segment.relationNumber,
        segmentNumber: segmentNumber, fork: segment.fork, blockCount: blockCount,
        checksum: checksum))
    return true
  }

  /// Gives every segment to `body`, in the order in which they came, and forgets it.
  mutating func drain<Failure: Error>(
    _ body: (RelationSegment, _ byteCount: UInt64, _ checksum: UInt32) throws(Failure) -> Void
  ) throws(Failure) {
    for index in pieces.indices {
      for entry in pieces[index] {
        let segment = RelationSegment(
          databaseID: entry.databaseID, relationNumber: entry.relationNumber, fork: entry.fork,
          segmentNumber: UInt32(entry.segmentNumber))
        try body(
          segment, UInt64(entry.blockCount) * UInt64(PageHeader.pageByteCount), entry.checksum)
      }
      pieces[index] = []
    }
    pieces = [[]]
  }
}
